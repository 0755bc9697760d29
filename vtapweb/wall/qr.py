"""An address as a QR code. Pure."""

import io

import segno


def qr_svg(address: str) -> bytes:
    """SVG, black on white with its quiet zone, without a size of its own."""
    image = io.BytesIO()
    segno.make(address, error="m", micro=False).save(image, kind="svg", scale=8, light="#fff", dark="#000", xmldecl=False, omitsize=True)
    return image.getvalue()

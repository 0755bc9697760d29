"""The Azure that the settings name, for whoever asks it. Its libraries take a second and 55 MB: nothing for a web process."""

from typing import TYPE_CHECKING

from django.conf import settings

from vtapweb.cloud.port import Cloud, CloudError, Failure, MetricsCloud, WritableCloud

if TYPE_CHECKING:
    from vtapweb.cloud.sdk import AzureCloud


def open_cloud() -> Cloud:
    """Azure, seen by who reads. Raises CloudError where the settings name none."""
    return _open_for_reading()


def open_metrics() -> MetricsCloud:
    """Azure Monitor, seen by who reads. Raises CloudError where the settings name no Azure; whether it has metrics, the first question tells."""
    return _open_for_reading()


def _open_for_reading() -> "AzureCloud":
    from vtapweb.cloud.connect import CloudSettingsError, cloud_from_settings

    try:
        return cloud_from_settings(
            cloud=settings.CLOUD, endpoint=settings.ARM_ENDPOINT, token=settings.ARM_TOKEN, metrics_endpoint=settings.METRICS_ENDPOINT
        )
    except CloudSettingsError as problem:
        raise CloudError(Failure.UNAUTHENTICATED, code="Settings", message=str(problem)) from problem


def open_cloud_for_writes() -> WritableCloud:
    """Azure, seen by who writes: for what may be written, writes and re-reads. Raises CloudError where the settings name none."""
    from vtapweb.cloud.connect import CloudSettingsError, WriteSignIn, cloud_for_writes

    sign_in = WriteSignIn(
        token=settings.WRITE_TOKEN,
        tenant_id=settings.WRITE_TENANT_ID,
        client_id=settings.WRITE_CLIENT_ID,
        client_secret=settings.WRITE_CLIENT_SECRET,
        certificate_path=settings.WRITE_CERTIFICATE_PATH,
    )
    try:
        return cloud_for_writes(
            cloud=settings.CLOUD,
            endpoint=settings.ARM_ENDPOINT,
            token=settings.ARM_TOKEN,
            metrics_endpoint=settings.METRICS_ENDPOINT,
            sign_in=sign_in,
        )
    except CloudSettingsError as problem:
        raise CloudError(Failure.UNAUTHENTICATED, code="Settings", message=str(problem)) from problem

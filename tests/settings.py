"""The product's own settings with what tests must not share with a running installation: data directory, cache, passwords' slow hashes.

DATABASE_URL decides the database as in production: unset means SQLite, `python -m tests.on_postgresql` sets it.
"""

import atexit
import os
import shutil
import tempfile

_data_dir = tempfile.mkdtemp(prefix="vtapweb-tests-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("VTAPWEB_", "AZURE_", "REDIS_URL"))]:
    if _name not in {"VTAPWEB_CHROMIUM", "VTAPWEB_ARM_EXAMPLES"}:
        del os.environ[_name]
os.environ["VTAPWEB_DATA_DIR"] = _data_dir
os.environ["VTAPWEB_ENV_FILE"] = os.devnull
os.environ["VTAPWEB_SECRET_KEY"] = "a key of tests only"

from vtapweb.config import settings as _product  # noqa: E402 (the environment above decides what it reads)

globals().update({name: getattr(_product, name) for name in dir(_product) if name.isupper()})

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    # No manifest: a test needs no collectstatic before it.
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True  # files straight from their source; no collected directory needs to exist

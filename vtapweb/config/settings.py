"""Django's settings, read from the environment (and from `.env`, where there is one). docs/settings.md lists every name with its default."""

import hashlib
from pathlib import Path

from csp.constants import NONCE, NONE, SELF

from vtapweb.config.environment import (
    cache_of,
    celery_broker_url,
    database_of,
    env,
    env_address,
    env_count,
    env_flag,
    env_list,
    env_named,
    env_price,
    env_seconds,
    load_dotenv,
    oidc_app,
    origin_of,
    secret_key,
)
from vtapweb.config.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent.parent
load_dotenv(Path(env("VTAPWEB_ENV_FILE", str(BASE_DIR / ".env"))))

DATA_DIR = Path(env("VTAPWEB_DATA_DIR", str(BASE_DIR / "var"))).resolve()
SECRET_KEY = secret_key(DATA_DIR)
DEBUG = False
ALLOWED_HOSTS = env_list("VTAPWEB_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("VTAPWEB_CSRF_TRUSTED_ORIGINS", "")
TRUSTED_PROXIES = env_list("VTAPWEB_TRUSTED_PROXIES", "")
# Set by `manage.py up` alone: the simulator is ours and the web server listens on loopback, so demo sign-in may be offered.
IS_DEMO_SIGN_IN_OFFERED = env_flag("VTAPWEB_DEMO_SIGN_IN")

# The Azure this installation looks at. Empty here only for commands that need no cloud (tests, migrate); `cloud.sdk` refuses an empty one.
CLOUD = env("VTAPWEB_CLOUD", "")
ARM_ENDPOINT = env("VTAPWEB_ARM_ENDPOINT", "")
ARM_TOKEN = env("VTAPWEB_ARM_TOKEN", "")
METRICS_ENDPOINT = env("VTAPWEB_METRICS_ENDPOINT", "")
# What a TAP costs a NIC and hour, in whatever currency the bill is; None: not known.
TAP_PRICE_PER_NIC_HOUR = env_price("VTAPWEB_TAP_PRICE_PER_NIC_HOUR")
# Who writes, where it is not who reads. Only the workers need them.
WRITE_TOKEN = env("VTAPWEB_WRITE_TOKEN", "")
WRITE_TENANT_ID = env("VTAPWEB_WRITE_TENANT_ID", "")
WRITE_CLIENT_ID = env("VTAPWEB_WRITE_CLIENT_ID", "")
WRITE_CLIENT_SECRET = env("VTAPWEB_WRITE_CLIENT_SECRET", "")
WRITE_CERTIFICATE_PATH = env("VTAPWEB_WRITE_CLIENT_CERTIFICATE_PATH", "")
SUBSCRIPTIONS = env_list("VTAPWEB_SUBSCRIPTIONS", "")
LIMIT_TAPS_PER_REGION = env_count("VTAPWEB_LIMIT_TAPS_PER_REGION", "100")
LIMIT_CONFIGURATIONS_PER_TAP = env_count("VTAPWEB_LIMIT_CONFIGURATIONS_PER_TAP", "100")
LIMIT_CONFIGURATIONS_PER_SUBSCRIPTION = env_count("VTAPWEB_LIMIT_CONFIGURATIONS_PER_SUBSCRIPTION", "0", at_least=0)
SYNC_INTERVAL_S = env_seconds("VTAPWEB_SYNC_INTERVAL_S", "300", at_least=10)

# How long a write may take before it counts as lost, and how often Azure is asked about it when it names no pause itself.
OPERATION_LIMIT_S = env_seconds("VTAPWEB_OPERATION_LIMIT_S", "3600", at_least=30)
POLL_INTERVAL_S = env_seconds("VTAPWEB_POLL_INTERVAL_S", "1" if CLOUD == "simulator" else "10", at_least=0.5)
# Azure's write budget of one subscription, which all our workers share: so many at once, then so many a second.
WRITES_AT_ONCE = env_count("VTAPWEB_WRITES_AT_ONCE", "200")
WRITES_PER_S = env_count("VTAPWEB_WRITES_PER_S", "10")
OWNER_TAG = env("VTAPWEB_OWNER_TAG", "owner")
TRAFFIC_AZURE_MONITOR = env("VTAPWEB_TRAFFIC_AZURE_MONITOR", "1") != "0"
TRAFFIC_HISTORY_HOURS = env_count("VTAPWEB_TRAFFIC_HISTORY_HOURS", "24")
TRAFFIC_HISTORY_DAYS = env_count("VTAPWEB_TRAFFIC_HISTORY_DAYS", "30")
# Servers of Prometheus that may be asked; what signs in there stays in the environment: {name: "bearer TOKEN" or "basic USER:PASSWORD"}.
TRAFFIC_PROMETHEUS_HOSTS = env_list("VTAPWEB_TRAFFIC_PROMETHEUS_HOSTS", "")
TRAFFIC_PROMETHEUS_CREDENTIALS = env_named("VTAPWEB_TRAFFIC_PROMETHEUS_CREDENTIAL_")
# Alarms leave the house only to hosts that are named here, and by e-mail only where a mail server and receivers are.
TRAFFIC_WEBHOOK_HOSTS = env_list("VTAPWEB_TRAFFIC_WEBHOOK_HOSTS", "")
PUBLIC_URL = env_address("VTAPWEB_PUBLIC_URL")  # for links in what leaves the house
TRAFFIC_ALARM_EMAIL_TO = env_list("VTAPWEB_TRAFFIC_ALARM_EMAIL_TO", "") if env("VTAPWEB_EMAIL_HOST", "") else []
EMAIL_HOST = env("VTAPWEB_EMAIL_HOST", "")
EMAIL_PORT = env_count("VTAPWEB_EMAIL_PORT", "587")
EMAIL_HOST_USER = env("VTAPWEB_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = env("VTAPWEB_EMAIL_PASSWORD", "")
EMAIL_USE_TLS = EMAIL_PORT != 465 and not env_flag("VTAPWEB_EMAIL_PLAIN")
EMAIL_USE_SSL = EMAIL_PORT == 465
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("VTAPWEB_EMAIL_FROM", "vtapweb@localhost")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "vtapweb.access.admin_apps.AuditedAdminConfig",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "ninja",
    "django_htmx",
    "csp",
    "vtapweb.access",
    "vtapweb.events",
    "vtapweb.inventory",
    "vtapweb.live",
    "vtapweb.taps",
    "vtapweb.topology",
    "vtapweb.traffic",
    "vtapweb.ui",
    "vtapweb.wall",
    "vtapweb.web",
    "vtapweb.config",
]

MIDDLEWARE = [
    "vtapweb.config.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "vtapweb.web.problem.ProblemMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "vtapweb.access.middleware.ViewerMiddleware",
]

ROOT_URLCONF = "vtapweb.config.urls"
ASGI_APPLICATION = "vtapweb.config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "vtapweb.ui.context.shell",
            ],
        },
    },
]

DATABASES = {"default": database_of(env("DATABASE_URL", f"sqlite:///{DATA_DIR / 'vtapweb.sqlite3'}"))}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# `manage.py up` sets it to the socket of the Valkey that it runs, unless the environment names a server.
REDIS_URL = env("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {"default": cache_of(REDIS_URL)}

# The database row is the truth of every job and a message only a nudge: nothing is lost with the broker, so no results are kept in it.
CELERY_BROKER_URL = celery_broker_url(REDIS_URL)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = env_count("VTAPWEB_WORKER_PROCESSES", "3")
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TASK_TIME_LIMIT = 3600
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "vtapweb:celery:",
    "visibility_timeout": 2 * CELERY_TASK_TIME_LIMIT,
    "socket_connect_timeout": 2,
    "socket_timeout": None,  # the worker waits for messages for as long as there are none; redis-py's default would raise after 5 s
    "health_check_interval": 25,
    # Publishing to a broker that is gone gives up within a second; the reaper mends it.
    "max_retries": 2,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.4,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
# The reaper has a worker of its own: it must run while long syncs hold every other process.
CELERY_TASK_DEFAULT_QUEUE = "work"
# Writes have one too: a change in the middle of its steps must not wait for a sync.
# What stands on `clock` must be short: one process ticks changes there every second.
CELERY_TASK_ROUTES = {
    "inventory.reap": {"queue": "clock"},
    "inventory.sync_scheduled": {"queue": "clock"},
    "traffic.store_minute": {"queue": "clock"},
    "taps.tick": {"queue": "clock"},
    "taps.advance": {"queue": "writes"},
}
CELERY_BEAT_SCHEDULE = {
    "changes": {"task": "taps.tick", "schedule": 1.0, "options": {"expires": 5}},
    "forecasts": {"task": "taps.forecast_missing", "schedule": 60.0, "options": {"expires": 60}},
    "expiry": {"task": "taps.expire", "schedule": 60.0, "options": {"expires": 50}},
    "reap": {"task": "inventory.reap", "schedule": 5.0, "options": {"expires": 10}},
    "topology": {"task": "topology.refresh_if_changed", "schedule": 10.0, "options": {"expires": 10}},
    "history": {"task": "traffic.store_minute", "schedule": 5.0, "options": {"expires": 5}},
    "history_days": {"task": "traffic.merge_history", "schedule": 1800.0, "options": {"expires": 1700}},
    "history_end": {"task": "traffic.trim_history", "schedule": 3600.0, "options": {"expires": 3500}},
    "azure_monitor": {"task": "traffic.read_azure_monitor", "schedule": 60.0, "options": {"expires": 50}},
    "prometheus": {"task": "traffic.read_prometheus", "schedule": 15.0, "options": {"expires": 14}},
    "deliveries": {"task": "traffic.deliver", "schedule": 15.0, "options": {"expires": 15}},
    "sync": {"task": "inventory.sync_scheduled", "schedule": SYNC_INTERVAL_S, "options": {"expires": SYNC_INTERVAL_S}},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_TIMEZONE = "UTC"

LOGGING = logging_config(log_format=env("VTAPWEB_LOG_FORMAT", "console"), level=env("VTAPWEB_LOG_LEVEL", "INFO"))
LOGGING_CONFIG = "vtapweb.config.logs.configure"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = Path(env("VTAPWEB_STATIC_ROOT", str(DATA_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# No inline script or style but those that carry this request's nonce (the import map).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "worker-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Cookies know no port: two installations on one host must not sign each other's people out.
_INSTALLATION = hashlib.sha256(str(DATA_DIR).encode()).hexdigest()[:8]
SESSION_COOKIE_NAME = f"vtapweb_session_{_INSTALLATION}"
DISPLAY_COOKIE_NAME = f"vtapweb_display_{_INSTALLATION}"  # of a wall's screen; only /wall… and the live socket look at it
PAIRING_COOKIE_NAME = f"vtapweb_pairing_{_INSTALLATION}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = any(origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# People. Only passwords and OpenID Connect lead in; nobody signs up. docs/access.md says who may do what.
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_ADAPTER = "vtapweb.access.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_UNIQUE_EMAIL = False
ACCOUNT_LOGOUT_REDIRECT_URL = LOGOUT_REDIRECT_URL
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_USERNAME_BLACKLIST = ["admin", "demo-viewer", "demo-operator", "demo-admin"]  # not to be had through OpenID Connect
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_SAMESITE = "Lax"

# OpenID Connect: the first sign-in makes a viewer without subscriptions; an admin grants the rest.
SOCIALACCOUNT_ADAPTER = "vtapweb.access.adapters.SocialAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_QUERY_EMAIL = False
OIDC_APP = oidc_app()
if OIDC_APP:
    SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [OIDC_APP]}}
    # The browser counts the redirect that answers our form as a place where the form goes.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] = [SELF, origin_of(OIDC_APP["settings"]["server_url"])]
CSRF_FAILURE_VIEW = "vtapweb.web.problem.csrf_failure"

"""Structured logs of every process: one line an event, as JSON or for a console, with the request's id and without secrets.

Rule 1: what a secret may stand in is cut out here, for every logger, whoever wrote the line. Rule 2: nothing here reads a request or a setting.
"""

import logging
import logging.config
import re
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"
SECRET_NAMES = re.compile(r"authorization|cookie|password|passwd|secret|token|api[_-]?key|credential|client_assertion|csrf", re.IGNORECASE)
# A value is a secret by what stands before it, wherever in a text: a header, a query parameter, a JSON member, a wall's address.
SECRET_TEXTS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{4,}"), rf"\1 {REDACTED}"),
    # What stands after /wall/ is a display's token, but for the few words that are addresses of their own.
    (re.compile(r"(/wall/)(?!(?:state|topology|traffic|pairing|qr)(?![^/?#\s\"']))[^/?#\s\"']+"), rf"\1{REDACTED}"),
    (
        re.compile(
            r"(?i)([\"']?(?:[a-z_-]*(?:password|secret|token|api[_-]?key|client_assertion)|\b(?:sig|code))[\"']?\s*[=:]\s*[\"']?)(?!\[redacted\])[^\s\"'&,;}]+"
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?i)((?:redis|rediss|postgres|postgresql|https?)://[^:/@\s]*:)[^@/\s]+@"), rf"\1{REDACTED}@"),
)


def redact_text(text: str) -> str:
    """The text without bearer tokens, wall tokens, passwords in addresses and values of parameters that are named like secrets."""
    for pattern, replacement in SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _redact(value: object, *, depth: int = 0) -> object:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "replace"))
    if depth < 4 and isinstance(value, dict):
        return {key: REDACTED if SECRET_NAMES.search(str(key)) and item else _redact(item, depth=depth + 1) for key, item in value.items()}
    if depth < 4 and isinstance(value, list | tuple):
        return [_redact(item, depth=depth + 1) for item in value]
    return value


def drop_colour(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """structlog's processor: uvicorn sends each message a second time, with terminal colours."""
    event.pop("color_message", None)
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """structlog's processor: every value of an event, and the traceback's text, without secrets."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = REDACTED if SECRET_NAMES.search(key) and value else _redact(value)
    return event


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]


def logging_config(*, log_format: str, level: str) -> dict[str, Any]:
    """The dictionary for logging.config.dictConfig. Raises ImproperlyConfigured for a format or level that does not exist."""
    renderers: dict[str, Processor] = {
        "console": structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False),
        "json": structlog.processors.JSONRenderer(default=str),
    }
    if log_format not in renderers:
        raise ImproperlyConfigured(f"VTAPWEB_LOG_FORMAT is {log_format!r}. Say console or json.")
    if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ImproperlyConfigured(f"VTAPWEB_LOG_LEVEL is {level!r}. Say DEBUG, INFO, WARNING or ERROR.")
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _shared(),
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, drop_colour, redact, renderers[log_format]],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "handlers": {"standard_error": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["standard_error"], "level": level.upper()},
        "loggers": {
            # Azure's HTTP policy and msal log every request at INFO, with headers.
            "azure": {"level": "WARNING"},
            "msal": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "django.channels": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
            # One line for each tick of the reaper says nothing; failures are errors and stay.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "celery.redirected": {"level": "WARNING"},
        },
    }


def configure(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: the standard library's loggers and structlog write through one chain."""
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(config)

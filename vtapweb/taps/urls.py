"""URLs of the taps room."""

from django.urls import URLPattern, URLResolver, path, re_path

from vtapweb.taps.views import changes, coverage, ledger, mirror, resource, settings, tap

urlpatterns: list[URLPattern | URLResolver] = [
    path("coverage", coverage.coverage, name="coverage"),
    path("coverage/could", coverage.coverage_could, name="coverage_could"),
    path("coverage.csv", coverage.coverage_csv, name="coverage_csv"),
    path("changes", changes.changes, name="changes"),
    path("changes/<int:number>", changes.change_detail, name="change"),
    path("unaccounted", ledger.unaccounted, name="taps_unaccounted"),
    path("unaccounted/counts", ledger.counts, name="taps_ledger_counts"),
    path("drift", ledger.drift, name="taps_drift"),
    path("expiring", ledger.expiring_mirrors, name="taps_expiring"),
    path("preparation", ledger.preparation, name="taps_preparation"),
    path("preparation.sh", ledger.preparation_script, name="taps_preparation_script"),
    path("evidence", ledger.evidence_page, name="taps_evidence"),
    path("evidence.csv", ledger.evidence_csv, name="taps_evidence_csv"),
    path("evidence.json", ledger.evidence_json, name="taps_evidence_json"),
    path("changes/<int:number>/window", changes.change_window, name="change_window"),
    path("changes/<int:number>/<slug:verb>", changes.change_act, name="change_act"),
    path("taps/new", tap.tap_new, name="tap_new"),
    path("taps/check", tap.tap_check, name="tap_check"),
    path("taps/destinations", tap.tap_destinations, name="tap_destinations"),
    re_path(r"^taps/(?P<key>[a-z2-7]{26})/tags$", tap.tap_tags, name="tap_tags"),
    re_path(r"^taps/(?P<key>[a-z2-7]{26})/delete$", tap.tap_delete, name="tap_delete"),
    path("mirror", mirror.mirror, name="mirror"),
    path("mirror/pairs", mirror.mirror_pairs, name="mirror_pairs"),
    path("mirror/plan", mirror.mirror_plan, name="mirror_plan"),
    path("settings/writes", settings.writes, name="taps_writes"),
    path("settings/writes/stop", settings.stop, name="taps_writes_stop"),
    path("settings/writes/resume", settings.resume, name="taps_writes_resume"),
    path("settings/protected", settings.protected, name="taps_protected"),
    path("settings/protected/<int:pk>/remove", settings.protected_end, name="taps_protected_remove"),
    path("settings/windows", settings.windows, name="taps_windows"),
    path("settings/windows/<int:pk>/remove", settings.window_end, name="taps_window_remove"),
    path("settings/collectors", settings.collectors, name="taps_collectors"),
    path("settings/collectors/<str:key>/remove", settings.collector_end, name="taps_collector_remove"),
    *(re_path(rf"^{slug}/(?P<key>[a-z2-7]{{26}})$", resource.resource, {"slug": slug}) for slug in resource.TEMPLATES),
]

"""`manage.py doctor [--azure]`: exit code 0 when nothing lacks, 1 otherwise."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from vtapweb.cloud.connect import CloudSettingsError, cloud_from_settings
from vtapweb.cloud.port import CloudError
from vtapweb.config import doctor
from vtapweb.inventory.clouds import open_cloud_for_writes


class Command(BaseCommand):
    help = "Says what this installation lacks, and what mends it. Changes nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--azure", action="store_true", help="look into Azure too: identity, tenant, per subscription what may be read and written"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        lacking = self.tell(doctor.installation())
        if options["azure"]:
            try:
                cloud = cloud_from_settings(cloud=settings.CLOUD, endpoint=settings.ARM_ENDPOINT, token=settings.ARM_TOKEN)
            except CloudSettingsError:
                pass  # told above already
            else:
                lacking += self.tell(doctor.azure(cloud))
                cloud.close()
                lacking += self.tell_writing()
        self.stdout.write("Nothing lacks." if not lacking else f"{lacking} thing{'s' if lacking > 1 else ''} to mend.")
        if lacking:
            sys.exit(1)

    def tell_writing(self) -> int:
        """The same as who writes, who may be somebody else."""
        try:
            cloud = open_cloud_for_writes()
        except CloudError as problem:
            return self.tell([doctor.Finding(False, f"For writes: {problem.message}", "docs/settings.md lists the VTAPWEB_WRITE_… settings.")])
        try:
            return self.tell(doctor.writing(cloud))
        finally:
            cloud.close()

    def tell(self, findings: Any) -> int:
        """Writes each finding as it is made; returns how many lack something."""
        lacking = 0
        for finding in findings:
            lacking += not finding.is_ok
            self.stdout.write(f"{'ok  ' if finding.is_ok else 'LACK'}  {finding.text}")
            if finding.fix:
                self.stdout.write(f"      → {finding.fix}")
        return lacking

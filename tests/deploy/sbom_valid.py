"""Whether a file is a CycloneDX 1.6 document: `python3 tests/deploy/sbom_valid.py FILE`."""

import pathlib
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

flaw = JsonStrictValidator(SchemaVersion.V1_6).validate_str(pathlib.Path(sys.argv[1]).read_text())
sys.exit(str(flaw) if flaw else None)

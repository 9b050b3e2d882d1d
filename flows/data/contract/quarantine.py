"""What becomes of rows that break a contract."""

from pathlib import Path

import msgspec

from flows.config.model import ModelConfig
from flows.data.contract.check import Checked
from flows.data.contract.records import ContractReport, Finding
from flows.data.keeping import keep
from flows.errors import DataError


def set_aside(config: ModelConfig, checked: Checked, file: Path) -> ContractReport:
    """
    Keep broken rows in a file, and refuse if they are too many, or any where the configuration wants none.

    Args:
        config: Says what is refused.
        checked: What was found.
        file: Parquet; replaced whole. It is written before anything is refused, so that it can be looked at.

    Returns:
        The report, naming the file if there is one.

    Raises:
        DataError: With every finding.
        StoreUnavailable: If the file cannot be written.
    """
    report = checked.report
    if not report.quarantined:
        return report
    what = f"{report.quarantined} rows were not set aside; nothing was trained."
    keep(checked.quarantined, file, what=what)
    refused = config.data.contract == "refuse"
    if refused or report.quarantined > config.data.most_quarantined * report.rows:
        raise _refusal(config, report, file)
    return msgspec.structs.replace(report, file=str(file))


def only_reported(report: ContractReport) -> ContractReport:
    """Say the same of rows that were all kept."""
    findings = tuple(msgspec.structs.replace(one, quarantined=False) for one in report.findings)
    return msgspec.structs.replace(report, quarantined=0, findings=findings)


def _refusal(config: ModelConfig, report: ContractReport, file: Path) -> DataError:
    most = "none may" if config.data.contract == "refuse" else f"at most {config.data.most_quarantined:.0%} may"
    found = "; ".join(_text(one) for one in report.findings if one.quarantined)
    share = report.quarantined / report.rows
    return DataError(
        f"{config.model} was not trained.",
        f"{report.quarantined} of {report.rows} rows ({share:.1%}) break the contract of the champion's data, "
        f"{most}: {found}.",
        f"Mend the source; the rows are in {file}. If the data have changed for good, train once with "
        "data.contract: report, and the new rows are in the next contract.",
    )


def _text(finding: Finding) -> str:
    """
    Say one finding.

    Example:
        >>> _text(Finding(column="age", rule="negative", rows=12, share=0.012, examples=("-1.0", "-3.0")))
        'age is negative in 12 rows, e.g. -1.0, -3.0'
    """
    words = {
        "type": "is no number",
        "null": "is missing, and never was,",
        "negative": "is negative",
        "far": "is far from everything seen",
        "range": "is out of range",
        "level": "has a level never seen",
    }
    examples = f", e.g. {', '.join(finding.examples[:3])}" if finding.examples else ""
    return f"{finding.column} {words[finding.rule]} in {finding.rows} rows{examples}"

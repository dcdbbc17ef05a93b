"""The entries of a study file; anything else is an error before a run."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from crmlib.data.contracts import CONTRACTS, TABLE_NAMES
from crmlib.data.databases import rows_of
from crmlib.data.policies import (
    Policies,
    Strict,
    check_date_format,
    check_delimiter,
    check_encoding,
    check_timezone,
)
from crmlib.data.samples import SAMPLE_TABLES
from crmlib.errors import StudyError, did_you_mean
from crmlib.secrets import holds_secret
from crmlib.simulation.settings import TABLES as SIMULATED_TABLES
from crmlib.simulation.settings import Simulation
from crmlib.study.yaml_text import LONGEST, read_yaml
from crmlib.units import FIRST_DAY, LAST_DAY
from crmlib.visible import ODD_SIGNS

# A firm that keeps contracts, or a table of its customers, can be looked at without a purchase log.
WITHOUT_A_LOG = ("subscriptions", "customer_features")
# A tab is a delimiter, and a column may be called " Date": what names a part of a file is not stripped.
AsWritten = Annotated[str, StringConstraints(strip_whitespace=False)]
Delimiter = Annotated[AsWritten, AfterValidator(check_delimiter)]
Encoding = Annotated[str, AfterValidator(check_encoding)]
DateFormat = Annotated[str, AfterValidator(check_date_format)]
Zone = Annotated[str, AfterValidator(check_timezone)]

# Entries of a table that say how it is read: of any source, and of what is no frame alone.
OF_FILES = ("table", "query", "sheet", "delimiter", "encoding")
READING = (*OF_FILES, "decimal", "amount_unit", "date_format", "timezone")
Unit = Literal["cents", "thousands", "millions"]


class TableEntry(Strict):
    """Where one table is, and how its text is read."""

    source: AsWritten | tuple[AsWritten, ...] = Field(
        description="file, folder, pattern or list of files, from the study's folder; or a database's address"
    )
    columns: dict[str, AsWritten] = Field(default_factory=dict, description="contract column: source column")
    table: AsWritten | None = Field(None, description="name of the table in a DuckDB file or a database")
    query: AsWritten | None = Field(
        None, description="of a database, instead of a table: the rows it chooses"
    )
    sheet: AsWritten | int | tuple[AsWritten | int, ...] | None = Field(
        None, description="sheet of an Excel file, or several that are one table"
    )
    delimiter: Delimiter | None = Field(None, description="sign between columns; guessed if absent")
    encoding: Encoding | None = Field(None, description="utf-8 if absent")
    decimal: Literal[".", ","] = Field(".", description="decimal sign of amounts")
    amount_unit: Unit | dict[str, Unit] | None = Field(
        None,
        description="cents, thousands or millions: of every money column, or of some, as in {amount: cents}",
    )
    date_format: tuple[DateFormat, ...] = Field(
        (), description='patterns such as "%d/%m/%Y", "excel", "unix", "days since 2023-01-01"; ISO if absent'
    )
    timezone: Zone = Field("UTC", description="where the firm's days begin, such as Europe/Berlin")
    rename: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description='other words for values of a column, such as channel: {"google-ads": "Google Ads"}',
    )

    @field_validator("date_format", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _address_and_table(self) -> TableEntry:
        rows_of(self.source, self.table, self.query)
        return self


def _money(description: str) -> Any:
    return Field(None, ge=0, strict=True, allow_inf_nan=False, description=description)


class Costs(Strict):
    """Money per unit of what customers ask for, in the study's currency; what is absent is not counted.

    Examples
    --------
    >>> Costs(per_service_minute=0.8, per_return=6).per_return
    6.0
    """

    per_service_minute: float | None = _money("money per minute of service or of a contact")
    per_contact: float | None = _money("money per contact of a service case, beside its minutes")
    per_return: float | None = _money("money per returned row: postage, check, back to stock")
    per_order: float | None = _money("money per order: picking, postage, payment")
    fixed_per_year: float | None = _money("money per customer and year: account, catalogue")


class StudyFile(Strict):
    """A firm: its tables, units, policies and facts, and presets for the notebooks' parameters."""

    title: str = Field(min_length=1, description="name of the firm in reports")
    data_kind: Literal["real", "artificial", "simulated"] = Field("real", description="what the data are")
    currency: str | None = Field(
        None, pattern=r"^[A-Z]{3}$", description="three letters, such as EUR; without it amounts have no code"
    )
    as_of: date | Literal["latest"] = Field("latest", description="last day that counts, or latest")
    time_unit: Literal["H", "D", "W", "M", "Q", "Y"] = Field(
        "W", description="unit of recency, T and forecasts"
    )
    margin: float | None = Field(
        None, ge=0, le=1, strict=True, description="contribution margin as a share of revenue"
    )
    discount_rate_per_year: float | None = Field(None, ge=0, le=1, strict=True, description="such as 0.10")
    assumed: tuple[Literal["margin", "discount_rate_per_year", "costs"], ...] = Field(
        (),
        description="which of margin, discount_rate_per_year and costs are assumptions, not the firm's own figures",
    )
    costs: Costs | None = Field(None, description="cost to serve if no table has it, such as per_return: 6")
    log_starts: Literal["with_firm", "cut"] | None = Field(
        None, description="with_firm, or cut: the firm is older than its log; judged if absent"
    )
    privacy: Literal["none", "hash"] = Field(
        "none", description="hash: customer ids are written as keyed hashes everywhere"
    )
    personal_columns: Literal["drop", "keep"] = Field(
        "drop", description="keep: names, addresses, birthdays and comments are kept in what is written"
    )
    run_in: Literal["here", "engine"] = Field(
        "here", description="engine: the log is cleaned and reduced where it is, in Spark; needs workspace"
    )
    workspace: str | None = Field(
        None,
        pattern=r"^\w+(\.\w+)?$",
        description="schema in which Spark may write tables, for run_in: engine",
    )
    simulation: Simulation | None = Field(
        None, description="instead of tables: a firm made from n_customers, years, random_state and effects"
    )
    sample: Literal["complete-journey"] | None = Field(
        None, description="instead of tables: a public data set from another package"
    )
    tables: dict[str, TableEntry] = Field(description="the purchase log and the optional tables")
    policies: Policies = Field(Policies(), description="how the log is read")
    notebooks: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="notebook: {parameter: value}"
    )

    @model_validator(mode="before")
    @classmethod
    def _tables_that_are_made(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        is_simulated = content.get("simulation") is not None
        brought = SAMPLE_TABLES.get(str(content.get("sample")), ())
        for key, tables in (("sample", brought), ("simulation", SIMULATED_TABLES if is_simulated else ())):
            made = {name: {"source": f"{name}.parquet"} for name in tables}
            if made and content.get("tables", made) != made:
                raise ValueError(f"{key} makes the tables of this firm; remove `tables`, or `{key}`")
            content = content | ({"tables": made} if made else {})
        return content | ({"data_kind": "simulated"} if is_simulated else {})

    @field_validator("title")
    @classmethod
    def _readable(cls, title: str) -> str:
        if (odd := ODD_SIGNS.search(title)) or "\n" in title or "\t" in title:
            found = f"U+{ord(odd[0]):04X}" if odd else "a line break or tab"
            raise ValueError(f"{found} is in the title, which controls a screen or reverses text; remove it")
        return title

    @field_validator("as_of")
    @classmethod
    def _of_our_time(cls, as_of: date | str) -> date | str:
        if isinstance(as_of, date) and not FIRST_DAY <= as_of <= LAST_DAY:
            raise ValueError(f"found {as_of}; allowed: a day from {FIRST_DAY} to {LAST_DAY}, or latest")
        return as_of

    @field_validator("tables")
    @classmethod
    def _known_tables(cls, tables: dict[str, TableEntry]) -> dict[str, TableEntry]:
        for name, entry in tables.items():
            if name not in TABLE_NAMES:
                raise ValueError(
                    f"{name!r} is not a table of the contracts; {did_you_mean(name, TABLE_NAMES)}"
                )
            for column in entry.rename:
                if column not in (texts := _renamable(name)):
                    raise ValueError(f"rename of {name} names {column!r}; {did_you_mean(column, texts)}")
        if not {"transactions", *WITHOUT_A_LOG} & tables.keys():
            raise ValueError(
                "the purchase log is missing; add transactions: {source: orders.csv} (a firm without one can "
                f"supply {' or '.join(WITHOUT_A_LOG)} instead)"
            )
        return tables

    @model_validator(mode="after")
    def _entries_that_go_together(self) -> StudyFile:
        if self.as_of == "latest" and "transactions" not in self.tables:
            raise ValueError(
                "as_of is latest, which is the last day of the purchase log, and there is no log; give the day up to "
                "which the tables are known, such as as_of: 2024-06-30"
            )
        log = self.tables.get("transactions")
        in_spark = log is not None and str(log.source).startswith("pyspark://")
        if (self.run_in == "engine") != (self.workspace is not None) or (self.workspace and not in_spark):
            raise ValueError(
                "run_in: engine goes with workspace, a schema in which Spark may write tables, and with a purchase log "
                "in Spark, as in source: pyspark://?spark.master=yarn; without all of them remove run_in and workspace"
            )
        if self.privacy == "hash" and self.personal_columns == "keep":
            raise ValueError(
                "privacy is hash and personal_columns keep: names would be written next to hashed ids; remove one"
            )
        return self

    @field_validator("notebooks", mode="before")
    @classmethod
    def _names_and_numbers(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value or {}  # an entry without content is none
        named = {str(word): preset for word, preset in value.items()}  # YAML reads 02 as a number
        if len(named) < len(value):
            raise ValueError(f"a notebook occurs twice among {', '.join(map(str, value))}; keep one of them")
        return named


def _renamable(table: str) -> list[str]:
    """Columns of a table whose words can be replaced; the purchase log is read as it is."""
    columns = () if table == "transactions" else CONTRACTS[table].columns
    return [column.name for column in columns if column.kind in ("text", "id") and not column.personal]


def read_study_file(path: Path) -> StudyFile:
    """Read and check a study file.

    Raises a StudyError that names every entry that is unknown, of the wrong type or out of range, what it is, what is
    allowed, and the nearest valid key.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except UnicodeDecodeError:
        raise StudyError(
            f"{path} is no study file: a byte of it is no text in UTF-8; save it as that"
        ) from None
    except OSError as complaint:
        raise StudyError(f"{path} cannot be read: {complaint.strerror}") from None
    return read_study_text(text, str(path))


def read_study_text(text: str, where: str) -> StudyFile:
    """Read and check what a study file says; `where` names it in the refusal, which is that of `read_study_file`."""
    if holds_secret(text):
        raise StudyError(
            f"{where} holds a password; a study is read by many and kept in reports, so take it out and put it into "
            "the environment, where it is not stored"
        )
    content = read_yaml(text, where)
    if not isinstance(content, dict):
        raise StudyError(f"{where} holds no entries; it starts with, say, `title: My shop`")
    return check_study(content, where)


def check_study(content: dict[str, Any], where: str) -> StudyFile:
    """Check the entries of a study; `where` names it in the refusal."""
    try:
        return StudyFile.model_validate(content)
    except ValidationError as complaint:
        faults = [_fault(error) for error in complaint.errors(include_url=False)]
        raise StudyError(f"{where}:\n" + "\n".join(f"  {fault}" for fault in faults)) from None


def _fault(error: Any) -> str:
    loc = [str(step) for step in error["loc"]]
    # pydantic appends the branch of a union to the path; a key of the file it is not.
    steps = loc[:1] + [step for step in loc[1:] if step not in ("date", "str", "int") and "[" not in step]
    key = ".".join(steps) or "the study"
    if error["type"] == "extra_forbidden":
        return f"{key}: no such entry; {did_you_mean(steps[-1], _model_of(steps[:-1]).model_fields)}"
    if error["type"] == "missing":
        return f"{key}: missing; it says {_described(steps)}"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']!s}"
    if not steps:
        return f"{key}: {error['msg']}"
    meaning = _described(steps)
    allowed = _allowed_numbers(steps) or f"{error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{key}: found {error['input']!r}; {allowed}" + (f" ({meaning})" if meaning else "")


def _allowed_numbers(steps: list[str]) -> str:
    """Both bounds of a numeric entry in words; an empty text for any other entry."""
    field = _model_of(steps[:-1]).model_fields.get(steps[-1])
    bounds = field.metadata if field else ()
    low = next((bound.ge for bound in bounds if hasattr(bound, "ge")), None)
    high = next((bound.le for bound in bounds if hasattr(bound, "le")), None)
    if low is None:
        return ""
    return f"allowed: a number, {low} or more" if high is None else f"allowed: a number, {low} to {high}"


def _described(steps: list[str]) -> str:
    field = _model_of(steps[:-1]).model_fields.get(steps[-1])
    return (field.description or "") if field else ""


def _model_of(steps: list[str]) -> type[BaseModel]:
    if steps[:1] == ["tables"] and len(steps) > 1:
        return TableEntry
    parts: dict[str, type[BaseModel]] = {"policies": Policies, "costs": Costs, "simulation": Simulation}
    return parts.get(steps[0], StudyFile) if steps else StudyFile

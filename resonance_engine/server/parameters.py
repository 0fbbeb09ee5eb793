"""Query parameters of the API, made of a collection's table of options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from resonance_engine.server.collection import ListQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.server.collection import QueryOption
    from resonance_engine.server.kept_uploads import KeptUploads

LARGEST_ID = 2**63 - 1
MOST_IDS = 500
MOST_CHARACTERS = 1_000
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Ids = Annotated[list[Id], Field(max_length=MOST_IDS)]
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]


class SeedParameters(BaseModel):
    """What every list takes: seeds, tracks to keep away from, tracks that do not come up."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: Ids = Field([], description="a track to start from; may be repeated")
    not_id: Ids = Field([], description="a track whose sound to keep away from; may be repeated")
    without: Ids = Field([], description="a track that does not come up; may be repeated")


class MatchParameters(SeedParameters):
    """What a list of matches takes beside its options."""

    explain: bool = Field(False, description="with what makes each match alike")


class SearchParameters(MatchParameters):
    """What a list of matches takes that may start from a file that was sent before."""

    upload: Text = Field("", description="a file to start from: the id that it was given when it was sent")


def make_parameters(
    name: str, options: Sequence[QueryOption], base: type[SeedParameters] = SeedParameters
) -> type[SeedParameters]:
    """Return the model of the parameters of a list, with a field for each option beside those of `base`.

    A list option becomes a parameter that may be repeated. The field of an option has its key as name, its name as
    alias.
    """
    fields: dict[str, Any] = {}
    for option in options:
        kind: Any = option.type
        if option.choices:
            kind = Literal[option.choices]
        elif option.type is list:
            kind = Annotated[list[Text], Field(max_length=MOST_IDS)]
        elif option.type is str:
            kind = Text
        limits = limits_of(option)
        fields[option.key] = (kind | None, Field(None, alias=option.name, description=option.help, **limits))
    return create_model(name, __base__=base, **fields)


def limits_of(option: QueryOption) -> dict[str, Any]:
    """Return the limits of a numeric option, as a field of a model has them."""
    if option.range is None:
        return {}
    low, high = option.range
    limits: dict[str, Any] = {"ge": low}
    if high < float("inf"):
        limits["le"] = high
    if option.type is float:
        limits["allow_inf_nan"] = False
    return limits


def to_query(parameters: SeedParameters, uploads: KeptUploads | None = None) -> ListQuery:
    """Return the query that parameters stand for; UnknownTrackError where they name none of the uploads."""
    own = SearchParameters.model_fields.keys()
    options = {name: value for name, value in parameters if name not in own and value is not None}
    explain = isinstance(parameters, MatchParameters) and parameters.explain
    analysed = None
    if uploads is not None and isinstance(parameters, SearchParameters) and parameters.upload:
        analysed = uploads.get(parameters.upload)
    return ListQuery(
        tuple(parameters.id),
        tuple(parameters.not_id),
        tuple(parameters.without),
        options,
        explain=explain,
        analysed=analysed,
    )

"""Wrong use of the command line: every mistake at once, each with its value, and how to mend it."""

import difflib
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import typer

from flows.errors import ConfigError

# The base of what typer raises for wrong words; where it lives differs between typer's versions.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def refusal(app: typer.Typer, words: Sequence[str], error: Any) -> ConfigError | None:
    """
    Say all that is wrong with the words of a command.

    Args:
        app: Whose commands they should be.
        words: All words after `understudy`.
        error: The first mistake, as typer raised it.

    Returns:
        None if a word is needed and there is none: the help was shown instead.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        return None
    context, rest = _reached(app, words)
    path = context.command_path
    commands = getattr(context.command, "commands", {})
    if commands and rest and not rest[0].startswith("-"):
        return _unknown_command(path, list(commands), rest[0])
    mistakes = list(_mistakes(context, rest)) or [_reason(context, error)]
    mend = f"Write `{_pattern(context)}`; `{path} --help` explains it."
    return ConfigError(f"`{path}` was not run.", "; ".join(mistakes) + ".", mend)


def name_of(parameter: Any) -> str:
    """An argument or option as it is written: MODEL, --reason."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    return str(max(parameter.opts, key=len))


def _reached(app: typer.Typer, words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words that are left for it."""
    command: Any = typer.main.get_command(app)
    path, rest = ["understudy"], list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest[0]]
        path.append(rest.pop(0))
    context = command.make_context(" ".join(path), [], resilient_parsing=True)
    context.resilient_parsing = False
    return context, rest


def _unknown_command(path: str, known: list[str], word: str) -> ConfigError:
    near = _meant(word, known)
    if near:
        mend = f"Did you mean `{path} {near}`?"
    else:
        mend = f"Did you mean `{path} list {word}`?" if "list" in known else f"See `{path} --help`."
    return ConfigError(f"`{path}` has no command {word!r}.", f"It has {', '.join(known)}.", mend)


def _mistakes(context: Any, words: list[str]) -> Iterator[str]:
    """Read the words again, and go on after each mistake."""
    read = yield from _read(context, list(words))
    if read is None:
        return
    options, rest, strange = read
    for parameter in context.command.get_params(context):
        try:
            if not parameter.is_eager:
                parameter.handle_parse_result(context, options, rest)
        except UsageError as error:
            if not (_is_missing(error) and name_of(parameter) in strange):
                yield _wrong(parameter, options.get(parameter.name), error)
    if rest and not strange:
        yield f"{', '.join(map(repr, rest))} {'is' if len(rest) == 1 else 'are'} too much"


def _read(context: Any, words: list[str]) -> Generator[str, None, tuple[dict[str, Any], list[str], set[str]] | None]:
    """Split words into options and arguments; options that cannot be read are told, and left out."""
    strange: set[str] = set()
    while True:
        try:
            options, rest, _ = context.command.make_parser(context).parse_args(list(words))
        except UsageError as error:
            yield _reason(context, error)
            name = getattr(error, "option_name", "")
            at = [index for index, word in enumerate(words) if name and word.startswith(name)]
            if not at:
                return None
            strange.add(words.pop(at[0]).partition("=")[0])
        else:
            return options, rest, strange


def _reason(context: Any, error: Any) -> str:
    """One mistake that concerns no value."""
    name = getattr(error, "option_name", None)
    if name is None:
        return str(error.format_message()).rstrip(".")
    if type(error).__name__ == "NoSuchOption":
        near = _meant(name, [option for one in context.command.get_params(context) for option in one.opts])
        return f"there is no option {name}" + (f" (did you mean {near}?)" if near else "")
    return f"{name}: " + ("its value is missing" if "requires" in error.message else str(error.message).rstrip("."))


def _wrong(parameter: Any, given: object, error: Any) -> str:
    """One mistake that concerns the value of an argument or option."""
    if _is_missing(error):
        return f"{name_of(parameter)} is missing"
    said = str(error.message).removeprefix("Value error, ").removeprefix("Input ").rstrip(".")
    said = said.partition(", unable to parse")[0]
    shown = "" if not given or repr(given) in said else f" (given: {given!r})"
    return f"{name_of(parameter)}: {said}{shown}"


def _is_missing(error: Exception) -> bool:
    return type(error).__name__ == "MissingParameter"


def _pattern(context: Any) -> str:
    """What must be written: understudy promote MODEL VERSION --reason REASON."""
    needed = [parameter for parameter in context.command.get_params(context) if parameter.required]
    names = [name_of(one) + (f" {one.name.upper()}" if one.param_type_name == "option" else "") for one in needed]
    more = "COMMAND" if hasattr(context.command, "commands") else "[OPTIONS]"
    return " ".join([context.command_path, *names, more])


def _meant(word: str, known: Sequence[str]) -> str | None:
    bare = {one.strip("-"): one for one in known}
    near = difflib.get_close_matches(word.strip("-"), list(bare), n=1)
    return bare[near[0]] if near else None

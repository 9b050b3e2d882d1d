"""Idempotency keys of outcomes, made where the caller sends none."""


def of_prediction(prediction_id: str, metric: str) -> str:
    """What an outcome of this prediction and metric is called, unless its caller named it."""
    return f"{escaped(prediction_id)}|{escaped(metric)}"


def of_key(key: str, metric: str, time: float | None) -> str:
    """What an outcome by key is called; without a time every one of that key and metric is called the same."""
    return f"{escaped(f'key:{key}')}|{escaped(metric)}|{time}"


def prediction_of(identity: str) -> tuple[str, str] | None:
    """Prediction and metric that `of_prediction` would call so, if any."""
    if identity.count("|") != 1 and "\\" not in identity:
        return None
    parts = _parts(identity)
    if len(parts) != 2 or of_prediction(*parts) != identity:
        return None
    return parts[0], parts[1]


def escaped(text: str) -> str:
    """No "|" of a caller's own makes two outcomes look like one."""
    return text.replace("\\", r"\\").replace("|", r"\|") if "|" in text or "\\" in text else text


def _parts(identity: str) -> list[str]:
    parts, part, letters = [], "", iter(identity)
    for letter in letters:
        if letter == "|":
            parts.append(part)
            part = ""
        else:
            part += next(letters, "") if letter == "\\" else letter
    return [*parts, part]

"""Regular expressions of rules are RE2, as the engines run them: no lookaround, no backreferences.

pySigma checks them with RE2 too, but lets it write to stderr; here a fault is only an exception.
"""

from typing import Any

from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine, RegexPattern


class InvalidRegex(Exception):
    """RE2 refuses the expression."""


class QuietRE2(RE2RegexEngine):
    """RE2 that raises and does not log."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        options: Any = self._re2.Options()
        options.log_errors = False
        try:
            compiled: RegexPattern = self._re2.compile(pattern, options)
        except self._re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
            raise InvalidRegex(f"{reason} (expressions are RE2: no lookaround, no backreferences)") from error
        return compiled

    @property
    def error(self) -> type[Exception]:
        return InvalidRegex


POLICY = SigmaPolicy(regex_engine=QuietRE2())

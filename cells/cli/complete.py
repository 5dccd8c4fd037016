"""``cells complete``: the completion of bash, made from the parsers of all commands."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Collection, Mapping

from cells.cli import base

_SCRIPT = """\
# Completion of bash for {program}, made by "{program} complete".
# Command, or the first word of several -> the words that can follow.
declare -A _{program}_words=(
{words}
)
# Command -> its options.
declare -A _{program}_options=(
{options}
)
# Command and option with a value -> the possible values; empty: any.
declare -A _{program}_values=(
{values}
)
_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command={program} index word
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${{COMP_WORDS[index]}}
        if [[ -n ${{_{program}_values[$command $word]+a}} ]]; then
            ((index++))
        elif [[ -n ${{_{program}_words[$command $word]+a}} || -n ${{_{program}_options[$command $word]+a}} ]]; then
            command+=" $word"
        fi
    done
    if [[ -n ${{_{program}_values[$command $previous]+a}} ]]; then
        COMPREPLY=($(compgen -W "${{_{program}_values[$command $previous]}}" -- "$current"))
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "${{_{program}_options[$command]}}" -- "$current"))
    else
        COMPREPLY=($(compgen -W "${{_{program}_words[$command]}}" -- "$current"))
    fi
}}
# If nothing is proposed, bash completes names of files.
complete -o default -F _{program} {program}
"""


class Complete(base.CellCommand):
    """Print the completion of bash: cells complete > /etc/bash_completion.d/cells.

    It knows all commands, their options and the possible values, from the installed release.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> None:  # noqa: ARG002  # cliff's signature
        """Print the script; called by cliff."""
        program = self.app.NAME
        words: dict[str, set[str]] = {program: set()}
        options: dict[str, list[str]] = {}
        values: dict[str, list[str]] = {}
        parsers = {program: self.app.parser}
        for name, _ in self.app.command_manager:
            parts = name.split()
            for length in range(len(parts)):
                words.setdefault(" ".join([program, *parts[:length]]), set()).add(parts[length])
            factory, _, _ = self.app.command_manager.find_command(parts)
            parsers[f"{program} {name}"] = factory(self.app, self.app_args, cmd_name=name).get_parser(name)
        for command, parser in parsers.items():
            options[command] = []
            for action in parser._actions:
                options[command] += action.option_strings
                if action.nargs != 0:
                    choices = [str(choice) for choice in action.choices or ()]
                    values.update({f"{command} {option}": choices for option in action.option_strings})
        self.app.stdout.write(
            _SCRIPT.format(program=program, words=_table(words), options=_table(options), values=_table(values))
        )


def _table(rows: Mapping[str, Collection[str]]) -> str:
    return "\n".join(
        f"    [{shlex.quote(key)}]={shlex.quote(' '.join(sorted(found)))}" for key, found in sorted(rows.items())
    )

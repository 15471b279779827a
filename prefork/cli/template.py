"""Where a template process begins: what it inherits, what it becomes.

Started by the master as `python -m prefork.cli.template`, with one end of their
channel as descriptor 3.  Its children end here too, as workers.
"""

import atexit
import faulthandler
import os
import signal
import sys

from prefork.errors import EXIT_OK, ConfigError, PreforkError
from prefork.master.handover import check_version
from prefork.monitor.access import AccessLog, Sink
from prefork.monitor.log import Log, is_journal
from prefork.monitor.outlet import ErrorStream, Outlet
from prefork.monitor.scoreboard import Scoreboard
from prefork.monitor.syslog import SyslogSink
from prefork.settings import Settings
from prefork.settings.registry import from_json
from prefork.system.channel import TEXT_LIMIT, Message, adopt
from prefork.system.document import read_document
from prefork.system.lifeline import Grip
from prefork.system.processes import die_with
from prefork.system.signals import leave_to_master
from prefork.template.hazards import open_descriptors
from prefork.template.template import Newborn, Template
from prefork.worker.birth import WorkerContext
from prefork.worker.lives import LIVES
from prefork.worker.promotion import Promotion

CHANNEL = 3
STDOUT, STDERR = 1, 2


def main() -> int:
    """Be a template; and in each child a worker, which may be a template again."""
    leave_to_master()
    faulthandler.enable(file=STDERR)  # an import that hangs is told ABRT: where was it?
    channel = adopt(CHANNEL)
    os.set_inheritable(CHANNEL, False)
    _forget_stdin()
    message = channel.wait()
    if message is None:
        return EXIT_OK  # the master is gone already
    try:
        check_version(message.fields.get("version"))
    except ConfigError as error:
        status = error.exit_status
        channel.send("failed", text=str(error), status=status, sources=[])
        return EXIT_OK
    context = TemplateContext(message)
    template = Template(
        context.settings,
        generation=context.generation,
        preload=message.fields["preload"],
        master=context.master,
        channel=channel,
        own_descriptors=open_descriptors(),
        on_message={"reopen": context.reopen_logs},
    )
    newborn = template.run()
    # A loop, since the stack would grow if each life called the next.
    while newborn is not None:
        promotion = _be_worker(newborn, context, template)
        leave_to_master()  # these signals; as a worker it had handlers of its own
        context.generation = promotion.generation
        newborn = template.run_again(promotion.channel, generation=promotion.generation)
    return EXIT_OK


def _read_settings(document: int) -> Settings:
    try:
        return from_json(read_document(document))
    finally:
        os.close(document)


def _forget_stdin() -> None:
    """A terminal that the master was started from is not for applications."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


class TemplateContext:
    """What a template is given by the master, and leaves to its workers."""

    def __init__(self, message: Message) -> None:
        fields = message.fields
        descriptors = iter(message.descriptors)
        self.settings = _read_settings(next(descriptors))
        self.generation: int = fields["generation"]
        self.master: int = fields["master"]
        self.scoreboard = Scoreboard(next(descriptors))
        self.bell = next(descriptors)
        self.lifeline = next(descriptors)
        self._access = next(descriptors) if fields["has_access_file"] else None
        # Before privileges are dropped: another user's pipe cannot be reopened.
        self._stderr = Outlet(STDERR)
        self.log = Log(
            self._stderr,
            level=self.settings.log_level,
            format=self.settings.log_format,
            journal=is_journal(STDERR, os.environ),
        )
        self._access_sink = self._open_access_sink()
        sys.stderr = ErrorStream(self._stderr)
        self._stdout = Outlet(STDOUT)
        sys.stdout = ErrorStream(self._stdout)

    def _open_access_sink(self) -> Sink | None:
        if self._access is not None:
            return Outlet(self._access)
        return SyslogSink() if self.settings.access_logfile == "syslog" else None

    def open_access_log(self, log: Log) -> AccessLog | None:
        if self._access_sink is None:
            return None
        settings = self.settings
        return AccessLog(
            self._access_sink,
            format=settings.access_logformat,
            kind=settings.log_format,
            journal=self._access is not None and is_journal(self._access, os.environ),
            log=log,
        )

    def reopen_logs(self, message: Message) -> None:
        """Go on in the files that the master has opened: we may not be allowed to."""
        outlets = {
            "error": self._stderr,
            "output": self._stdout,
            "access": self._access_sink,
        }
        for name, fd in zip(message.fields["names"], message.descriptors, strict=True):
            outlet = outlets[name]
            if isinstance(outlet, Outlet):
                outlet.reopen(fd)
            os.close(fd)


def _be_worker(
    newborn: Newborn, context: TemplateContext, template: Template
) -> Promotion:
    """Live as a worker; returns only if promoted, else the process ends here."""
    # If the master dies: KILL during the import, which may hang and would not notice
    # a TERM; TERM from then on.
    if not die_with(context.master, signal.SIGKILL):
        os._exit(EXIT_OK)
    try:
        application = template.load()
        if not die_with(context.master, signal.SIGTERM):
            os._exit(EXIT_OK)
        live = LIVES[context.settings.gateway]
        promotion = live(_worker_context(newborn, context, template), application)
    except PreforkError as error:  # it cannot be imported, or its settings be kept
        text = str(error)[-TEXT_LIMIT:]
        newborn.channel.send("failed", text=text, status=error.exit_status)
        os._exit(error.exit_status)
    if promotion is not None:
        return promotion
    # Not sys.exit(): to tear the interpreter down touches every shared page, and
    # waits for threads.  But what the application registered has to run.
    atexit._run_exitfuncs()
    os._exit(EXIT_OK)


def _worker_context(
    newborn: Newborn, context: TemplateContext, template: Template
) -> WorkerContext:
    log = context.log.with_fields(worker=newborn.slot, pid=os.getpid())
    return WorkerContext(
        settings=context.settings,
        slot=newborn.slot,
        generation=context.generation,
        channel=newborn.channel,
        scoreboard=context.scoreboard,
        listeners=newborn.listeners,
        bell=context.bell,
        grip=Grip(context.lifeline, grace=context.settings.graceful_timeout),
        log=log,
        access_log=context.open_access_log(log),
        reopen_logs=context.reopen_logs,
        find_hazards=template.find_hazards,
    )


if __name__ == "__main__":
    sys.exit(main())

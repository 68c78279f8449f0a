"""Names the service maker for twistd, nothing else."""

from twisted.application.service import ServiceMaker

popbridge = ServiceMaker("Popbridge", "bridge.plugin", "a POP3 server for mail in IMAP accounts elsewhere", "popbridge")

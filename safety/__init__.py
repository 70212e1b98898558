"""What may be delivered: the gate between controller and device, its envelopes, its audit log.

The promise: no output of a controller, however wrong, leads to a delivered setting outside the
active envelope; every intervention is recorded with its reason; nothing recorded is lost. The
controller is untrusted. Code that runs in this process is trusted, since Python cannot defend
against it: see docs/safety.md. Research software, not a medical device.
"""

from safety.audit import AuditLog as AuditLog
from safety.audit_file import LogSealedError as LogSealedError
from safety.audit_file import anchor_path as anchor_path
from safety.audit_reading import LogCheck as LogCheck
from safety.audit_reading import verify as verify
from safety.audit_records import Decision as Decision
from safety.audit_records import Group as Group
from safety.audit_records import group_of as group_of
from safety.audit_recovery import Recovered as Recovered
from safety.audit_recovery import decisions as decisions
from safety.audit_recovery import recover as recover
from safety.audit_unlogged import review_unlogged as review_unlogged
from safety.envelope import Envelope as Envelope
from safety.envelope import max_charge_pc as max_charge_pc
from safety.envelope_file import envelope_names as envelope_names
from safety.envelope_file import envelope_text as envelope_text
from safety.envelope_file import load_envelope as load_envelope
from safety.envelope_file import parse_envelope as parse_envelope
from safety.events import acknowledge as acknowledge
from safety.events import after_adverse_event as after_adverse_event
from safety.events import after_restart as after_restart
from safety.kernel import review as review
from safety.legality import deliverable as deliverable
from safety.legality import is_deliverable as is_deliverable
from safety.montage import Contact as Contact
from safety.montage import Montage as Montage
from safety.narrower import Chain as Chain
from safety.narrower import Level as Level
from safety.narrower import chain_of as chain_of
from safety.narrower import check_within as check_within
from safety.narrower import is_within as is_within
from safety.narrower import tighten as tighten
from safety.people import Person as Person
from safety.people import Role as Role
from safety.reading import MAX_AGE_S as MAX_AGE_S
from safety.verdict import Change as Change
from safety.verdict import Finding as Finding
from safety.verdict import Latch as Latch
from safety.verdict import NotTolerated as NotTolerated
from safety.verdict import Past as Past
from safety.verdict import Rise as Rise
from safety.verdict import Rule as Rule
from safety.verdict import Ruling as Ruling
from safety.verdict import Verdict as Verdict

PART_OF = "neurostim"

"""What may be delivered: the gate between controller and device, its envelopes, its audit log.

The promise: no output of a controller, however wrong, leads to a delivered setting outside the
active envelope, and every intervention is recorded with its reason. The controller is untrusted.
Code that runs in this process is trusted, since Python cannot defend against it. Research software,
not a medical device.
"""

from safety.audit import AuditLog as AuditLog
from safety.audit import LogCheck as LogCheck
from safety.audit import verify as verify
from safety.envelope import Contact as Contact
from safety.envelope import Envelope as Envelope
from safety.envelope import Montage as Montage
from safety.envelope import max_charge_pc as max_charge_pc
from safety.envelope_file import envelope_names as envelope_names
from safety.envelope_file import envelope_text as envelope_text
from safety.envelope_file import load_envelope as load_envelope
from safety.envelope_file import parse_envelope as parse_envelope
from safety.kernel import review as review
from safety.legality import deliverable as deliverable
from safety.legality import is_deliverable as is_deliverable
from safety.narrower import check_within as check_within
from safety.narrower import is_within as is_within
from safety.narrower import tighten as tighten
from safety.reading import MAX_AGE_S as MAX_AGE_S
from safety.verdict import Finding as Finding
from safety.verdict import Past as Past
from safety.verdict import Rise as Rise
from safety.verdict import Rule as Rule
from safety.verdict import Ruling as Ruling
from safety.verdict import Verdict as Verdict

PART_OF = "neurostim"

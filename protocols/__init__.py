"""The vocabulary of neurostim: settings, proposals, observations and trial designs.

Importing this package needs the standard library only; `protocols.design` reads trial designs with
pydantic and is imported where it is used.
"""

from protocols.observation import BOTHERSOME_GRADE as BOTHERSOME_GRADE
from protocols.observation import GRADES as GRADES
from protocols.observation import SEVERE_GRADE as SEVERE_GRADE
from protocols.observation import Observation as Observation
from protocols.observation import Telemetry as Telemetry
from protocols.problem import InputError as InputError
from protocols.proposal import Proposal as Proposal
from protocols.setting import OFF as OFF
from protocols.setting import Mode as Mode
from protocols.setting import Setting as Setting
from protocols.space import Cycle as Cycle
from protocols.space import ParameterSpace as ParameterSpace

PART_OF = "neurostim"
SECONDS_PER_DAY = 86_400

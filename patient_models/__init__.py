"""Who is treated: virtual patients, their hidden truth, and the device inside them.

The truth stays here: of an `Outcome`, only its observation may reach a controller.
"""

from patient_models.baselines import Baseline as Baseline
from patient_models.baselines import Baselines as Baselines
from patient_models.baselines import read_baselines as read_baselines
from patient_models.baselines import thall_vail as thall_vail
from patient_models.clinical import Clinical as Clinical
from patient_models.device_check import Device as Device
from patient_models.enrolment import Enrolment as Enrolment
from patient_models.families import MODELS as MODELS
from patient_models.families import model_named as model_named
from patient_models.families import model_names as model_names
from patient_models.mechanistic import Mechanistic as Mechanistic
from patient_models.model import DeviceState as DeviceState
from patient_models.model import Event as Event
from patient_models.model import Kind as Kind
from patient_models.model import Model as Model
from patient_models.model import Outcome as Outcome
from patient_models.model import State as State
from patient_models.null import NULL as NULL
from patient_models.population import Population as Population
from patient_models.randomness import Purpose as Purpose
from patient_models.randomness import uniforms as uniforms
from patient_models.saving import state_from_dict as state_from_dict
from patient_models.saving import state_to_dict as state_to_dict
from patient_models.targets import TARGETS as TARGETS

PART_OF = "neurostim"

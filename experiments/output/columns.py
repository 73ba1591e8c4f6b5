"""Names of the columns of an experiment's tables, and the values of their text columns."""

from bitjoule.energy_models.architecture.phases import PHASE_NAMES
from bitjoule.energy_models.system.counting.utilisation import RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.operations import MOVED

PJ_PER_J = 1e12
REQUEST = "request"  # the sum of all phases
PHASES = (*PHASE_NAMES, REQUEST)

WORKLOAD_AXES = ("batch", "prompt_tokens", "new_tokens")
CASE_COLUMNS = (
    "experiment", "model", "parameters", "scheme", "technology", "platform", "phase", *WORKLOAD_AXES,
)  # fmt: skip
ACTION_COLUMNS = ("component", "operand", "action", "format")
ENERGY_COLUMNS = ("energy_pj", "energy_low_pj", "energy_high_pj")
RESULT_COLUMNS = (*CASE_COLUMNS, *ACTION_COLUMNS, "count", *ENERGY_COLUMNS, "price")
ARRAY_COLUMNS = ("array", "array_mac_share", "other_arrays")
ARRAY_SEPARATOR = ";"  # of names in a cell of the last
UTILISATION_COLUMNS = tuple(f"{resource}_utilisation" for resource in RESOURCES)
SUMMARY_COLUMNS = (
    *CASE_COLUMNS, "energy_j", "energy_low_j", "energy_high_j", "energy_per_token_j", "latency_s", "tokens_per_s",
    "memory_bytes", "ratio_to_baseline", *ARRAY_COLUMNS, *UTILISATION_COLUMNS,
)  # fmt: skip
BOUND_COLUMNS = tuple(f"bound_by_{bound}_s" for bound in BOUNDS)
FORMAT_COLUMNS = ("weights_format", "weights_storage", "activations_format", "outputs_format")
BYTE_COLUMNS = tuple(f"{moved}_bytes" for moved in MOVED)
OPERATION_COLUMNS = (
    *CASE_COLUMNS, "layers", "repeats", "component", "m", "k", "n", "times", "macs", "array", *FORMAT_COLUMNS,
    *BYTE_COLUMNS, "time_s", "bound_by", "energy_j", "energy_low_j", "energy_high_j",
)  # fmt: skip
COST_INPUTS = ("electricity_usd_per_kwh", "grid_gco2_per_kwh", "power_usage_effectiveness")
COSTS = ("kwh", "usd", "gco2")
COST_UNITS = ("million_tokens", "request")
COST_COLUMNS = (
    *CASE_COLUMNS, *COST_INPUTS,
    *(f"{cost}{end}_per_{of}" for of in COST_UNITS for cost in COSTS for end in ("", "_low", "_high")),
)  # fmt: skip
COMPONENT_COLUMNS = (
    *CASE_COLUMNS, "component", "array", "macs", "mac_share", "time_s", *BOUND_COLUMNS, "energy_j", "energy_low_j",
    "energy_high_j", *UTILISATION_COLUMNS,
)  # fmt: skip

"""Virtual patients as Gymnasium environments, for reinforcement learning (extra `rl`).

    import gymnasium

    env = gymnasium.make("neurostim.rl:neurostim/Patient-v0", design="demo")
    envs = gymnasium.make_vec("neurostim.rl:neurostim/Patient-v0", num_envs=64, design="demo")

Importing this module registers them, which is what the part before the colon asks for. Research
software, not a medical device: all patients are simulated.
"""

try:
    import gymnasium
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "neurostim.rl needs Gymnasium: pip install neurostim[rl]", name=error.name
    ) from None

gymnasium.register(
    "neurostim/Patient-v0",
    entry_point="neurostim.rl.environments:PatientEnv",
    vector_entry_point="neurostim.rl.environments:PatientVectorEnv",
)

"""Ask and tell: the controller's belief about a list of settings, for whoever runs the experiment.

optimizer = neurostim.Optimizer(table, goal="maximize", likelihood="gaussian")
for _ in range(40):
    setting = optimizer.ask()
    optimizer.tell(setting, measure(setting))
optimizer.recommend()
"""

from neurostim.optimizer.answers import Explanation as Explanation
from neurostim.optimizer.answers import Recommendation as Recommendation
from neurostim.optimizer.ask_tell import Optimizer as Optimizer

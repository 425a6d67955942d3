"""How the model in the package is made, judged and described; no part of what is installed."""

from tumorscope.common.offline import keep_offline

keep_offline()  # before a module of this package loads onnxruntime

"""What an engine computed → the findings of a model at one of its operating points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tumorscope.detection import rules
from tumorscope.detection.engines import Outputs
from tumorscope.detection.finding import Finding
from tumorscope.detection.ready import Ready
from tumorscope.detection.rules import Verdict
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.schema import InputCheck


@dataclass(frozen=True, slots=True)
class Telling:
    """What findings of one model at one operating point have in common.

    Attributes
    ----------
    model : str
        Name of the model and the first digits of the hash of its graph.
    operating_point : str
        Its name.
    rule : DecisionRule
        By which it decides.
    check : InputCheck
        The limits beyond which images are refused.
    """

    model: str
    operating_point: str
    rule: DecisionRule
    check: InputCheck

    def findings(self, ready: Sequence[Ready], outputs: Outputs | None, ms: float) -> list[Finding]:
        """Return the findings for the images of one run, in their order.

        Parameters
        ----------
        ready : sequence of Ready
            Those that have pixels were run.
        outputs : Outputs or None
            What came out of it; None where nothing was run.
        ms : float
            How long each took.
        """
        found, index = [], 0
        for item in ready:
            if item.pixels is None or outputs is None:
                verdict = Verdict("refused", (), item.reasons)
                found.append(self._finding(item, verdict, None, 0, ms))
                continue
            probability, distance = outputs.probability[index], outputs.distance[index]
            verdict = rules.judge(self.rule, self.check, float(probability), float(distance))
            found.append(self._finding(item, verdict, outputs, index, ms))
            index += 1
        return found

    def _finding(
        self, item: Ready, verdict: Verdict, outputs: Outputs | None, index: int, ms: float
    ) -> Finding:
        distance = math.inf if outputs is None else float(outputs.distance[index])
        # Of what is refused, the network's other numbers mean nothing.
        shown = None if verdict.decision == "refused" else outputs
        return Finding(
            source=item.source,
            decision="unreadable" if item.unreadable else verdict.decision,
            probability=None if shown is None else float(shown.probability[index]),
            prediction_set=verdict.labels,
            reasons=(*verdict.reasons, "seen") if item.seen else verdict.reasons,
            seen=item.seen,
            model=self.model,
            operating_point=self.operating_point,
            threshold=self.rule.threshold,
            zone=self.rule.zone,
            distance=distance if math.isfinite(distance) else None,
            logit=None if shown is None else float(shown.logit[index]),
            bias=None if shown is None else float(shown.bias[index]),
            evidence=None if shown is None else shown.evidence[index],
            ms=ms,
            unreadable=item.unreadable,
            final=item.final,
        )

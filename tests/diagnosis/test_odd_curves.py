"""Of curves that cannot tell, nothing is told: scores on two scales, a training that was measured once."""

from __future__ import annotations

from diagnosis_cases import foreign

from surefoot.diagnosis.diagnosis import diagnose
from surefoot.diagnosis.reading import read
from surefoot.diagnosis.symptom import Ground


def test_a_share_beside_a_percentage_has_no_gap():
    history = foreign(acc=[0.5, 0.7, 0.9, 0.9], val_acc=[53.0, 60.0, 70.0, 80.0])
    notes = read(history, Ground()).notes
    assert any("val_acc goes to 80 and acc goes to 0.9: a share beside a percentage" in note for note in notes)
    assert not any("wrong sign" in note for note in diagnose([history], Ground()).notes)


def test_one_epoch_says_nothing_of_underfitting():
    history = foreign(loss=[2.0], val_loss=[2.0], acc=[0.3], val_acc=[0.3])
    said = diagnose([history], Ground())
    assert said.is_healthy and any("measured once" in note for note in said.notes)

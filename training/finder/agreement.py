"""How near the landmarks come to the teacher's, and whether they are right as often as they say."""

import math
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from model import DogFinder, PhotoError
from model.crop import Crop
from model.finder import SURE
from model.landmarks import Landmarks, Points
from model.photos import open_photo

from .faces import Pose, read_aside, read_photos, read_upright

TURN, MOVE, SCALE = 25, 0.10, 1.25  # the most that a head is turned (degrees), moved (sides) and scaled to measure it
CENTRE, SIDE, ANGLE = 0.12, 1.25, 8  # a frame is right within so many sides, this factor and so many degrees
FAR = 0.4  # of a head's side: a found head further off is another one


@dataclass
class Answer:
    """What was found of a head, beside what the teacher says. Distances in sides of the teacher's frame."""

    points: Points | None
    sure: float
    teacher_sure: bool
    error: float = math.nan  # mean distance of the points; NaN where the teacher says none
    first: float = math.nan  # of the first look alone
    right: bool = False  # whether the frame is
    signs: Tensor | None = None  # as `Evidence` has them


def answers_of(landmarks: Landmarks, poses: list[Pose], doing: str, seed: int = 0) -> list[Answer]:
    """Each head turned, moved and scaled at random, the same way for the same seed; those that can be read."""
    rng, answers = random.Random(seed), []
    for pose in tqdm(poses, doing, unit=" heads", leave=False, mininterval=5):
        square = _moved(pose.square, rng)
        try:
            photo = open_photo(pose.path)
        except PhotoError:
            continue
        if not square.lies_in(photo.size):
            square = pose.square
        [seen] = landmarks.evidence(photo, [square])
        face = landmarks.judge(seen)
        answer = compared(pose, face.points, face.sure)
        answer.signs = seen.signs
        if pose.points:
            answer.first = _distance(seen.first, pose)
        answers.append(answer)
    return answers


def answers_in_photos(finder: DogFinder, poses: list[Pose]) -> tuple[list[Answer], int]:
    """What `DogFinder.find` says of the heads in these photos; and how many it did not find there."""
    answers, missed, seen = [], 0, {}
    for pose in tqdm(poses, "photos", unit=" heads", leave=False, mininterval=5):
        if pose.path not in seen:
            seen[pose.path] = finder.find(open_photo(pose.path))
        heads = seen[pose.path]
        if pose.kind == "other":
            answers += [Answer(head.landmarks, head.sure, False) for head in heads[:1]]
            continue
        away = {math.dist(Crop.around(head.box).centre, pose.square.centre): head for head in heads}
        if not away or min(away) > FAR * pose.square.side:
            missed += 1
            continue
        head = away[min(away)]
        assert head.landmarks
        answers.append(compared(pose, head.landmarks, head.sure))
    return answers, missed


def compared(pose: Pose, points: Points, sure: float) -> Answer:
    answer = Answer(points, sure, pose.sure == 1)
    if pose.points:
        answer.error = _distance(torch.tensor(points), pose)
        answer.right = _is_right(points, pose.points)
    return answer


def _distance(points: Tensor, pose: Pose) -> float:
    assert pose.points is not None
    wanted = torch.tensor(pose.points)
    return (points - wanted).norm(dim=-1).mean().item() / Crop.from_landmarks(pose.points).side


def _is_right(points: Points, wanted: Points) -> bool:
    try:
        mine, frame = Crop.from_landmarks(points), Crop.from_landmarks(wanted)
    except PhotoError:
        return False
    near = math.dist(mine.centre, frame.centre) <= CENTRE * frame.side
    alike = abs(math.log(mine.side / frame.side)) <= math.log(SIDE)
    return near and alike and abs(math.degrees(mine.angle - frame.angle)) <= ANGLE


def _moved(square: Crop, rng: random.Random) -> Crop:
    x, y = (v + rng.uniform(-MOVE, MOVE) * square.side for v in square.centre)
    scale = math.exp(rng.uniform(-1, 1) * math.log(SCALE))
    return Crop((x, y), square.side * scale, square.angle + math.radians(rng.uniform(-TURN, TURN)))


# ---- Numbers


def summary(answers: list[Answer]) -> dict:
    """Of the heads whose landmarks the teacher is sure of."""
    known = [a for a in answers if a.teacher_sure]
    errors = torch.tensor([a.error for a in known])
    told = torch.tensor([a.sure >= SURE for a in known])
    return {
        "heads": len(known),
        "error": errors.mean().item(),
        "error_median": errors.median().item(),
        "error_first_look": torch.tensor([a.first for a in known]).mean().item(),
        "frame_right": sum(a.right for a in known) / len(known),
        "sure": told.float().mean().item(),
        "sure_error": errors[told].mean().item(),
        "sure_frame_right": sum(a.right for a in known if a.sure >= SURE) / max(1, int(told.sum())),
    }


def share_sure(answers: list[Answer]) -> float | None:
    return sum(a.sure >= SURE for a in answers) / len(answers) if answers else None


def measure(finder: DogFinder, data: Path) -> dict:
    """Everything that metrics.json holds of the landmarks' quality."""
    upright, aside = read_upright(data / "heads", "val"), read_aside(data / "heads", "val")
    photos = read_photos(data, "test")
    dogs, others = ([p for p in photos if (p.kind == "other") == other] for other in (False, True))
    elsewhere, _ = answers_in_photos(finder, others)
    turned = answers_of(finder.landmarks, upright, "turned heads")
    in_photos, missed = answers_in_photos(finder, dogs)
    doubtful = [a for a in in_photos if not a.teacher_sure]
    return {
        "val": summary(turned),
        "aside_sure": share_sure(answers_of(finder.landmarks, aside, "heads that look aside")),
        "test": summary(in_photos) | {"missed": missed},
        "test_unsure": {"heads": len(doubtful), "sure": share_sure(doubtful)},
        "test_no_dogs": {"photos": len(others), "sure": sum(a.sure >= SURE for a in elsewhere)},
        "certainty": reliability(in_photos),
    }


def reliability(answers: list[Answer]) -> list[dict]:
    """Of the answers that call themselves so sure: how many there are, and the share that is right."""
    bins = []
    for low in (0.0, 0.25, 0.5, 0.75):
        held = [a for a in answers if low <= a.sure < low + 0.25 or (a.sure == 1 and low == 0.75)]
        right = sum(a.teacher_sure and a.right for a in held) / len(held) if held else None
        mean = sum(a.sure for a in held) / len(held) if held else None
        bins.append({"from": low, "heads": len(held), "says": mean, "right": right})
    return bins

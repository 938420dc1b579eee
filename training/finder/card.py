"""The finder's model card, and its numbers as tables."""

from ..tables import table

MOST_REPORTED = 0.05  # of held-out photos without dogs, in which a head may be reported
NOT_DOGS = ("cat", "animal", "thing")

CARD = """---
license: other
license_name: non-commercial-research
library_name: pytorch
pipeline_tag: object-detection
tags: [dogs, object-detection]
---

# The finder of dogs' heads

A photo in; a square round each dog's head out, with a score. A small head ({parameters:,} parameters) on
EfficientNet-Lite0, which is stored once, in `../dogvae/model.safetensors`; it works whatever VAE is loaded.

```python
from model import DogFinder, open_photo      # the DogVAE repository
finder, photo = DogFinder(), open_photo("my dog.heic")
finder.find(photo)                           # heads: box, score, landmarks (eyes and nose) and how sure those are
finder.crop(photo)                           # 256 x 256, upright by eyes and nose: what the VAE takes
```

## Numbers

{table}

A head is rightly placed if its centre is within 0.25 sizes of the labelled one and its size within a factor of 1.6;
of all dogs, those not found included. The default threshold, {threshold}, was chosen without these photos: it is the
lowest of the table at which a head is reported in at most {most:.0%} of {held_out} photos without dogs that were held
out of training.
{landmarks}
## Data and licence

Trained by `{command}` on {views:,} views of {photos:,} photos. The dogs come from Flickr photos of the "dog emotions"
set (no licence stated), boxed by a detector (dlib MMOD), the photos without dogs from ImageNet samples and Kaggle's
Dogs vs. Cats; the test photos are Oxford-IIIT Pet's (CC BY-SA 4.0). None of them is part of this repository. The
weights are for **research and other non-commercial use**; the code is MIT.

## Limitations

It centres on the face, as the detector did that boxed its photos; people's boxes round the whole head, ears included,
lie a little higher, and of a dog in profile further back. Wolves, lions and some cats pass for dogs. It learned
on heads from a ninth of the view upwards.
"""

LANDMARKS = """
## Eyes and nose

A second small head on the same trunk ({parameters:,} parameters) looks at each head twice and says where its two eyes
and its nose are, and how sure that is.

{table}

Errors are mean distances from a public teacher's landmarks, in sides of the frame that the teacher's give (the data's
README has the rule); a frame is right within 12 % of the side, a factor of 1.25 and 8 degrees. Sure: a certainty of
0.5 or more, from which on a head is framed by its eyes; the others by their box. Trained by `{command}` on {views:,}
views of {pictures:,} heads and pictures without, its certainty calibrated on {calibrated_on} heads of val. The teacher
itself is unsure of about a third of all heads: profiles, eyes under hair. The heads are of the Flickr set below, of
Dogs vs. Cats and of Stanford Dogs (ImageNet-derived); the teacher, a regressor trained on the Columbia dogs with parts.
"""


def card(metrics: dict) -> str:
    faces = metrics.get("landmarks")
    landmarks = LANDMARKS.format(table=landmarks_table(faces), **faces) if faces else ""
    about = {key: metrics[key] for key in ("parameters", "threshold", "command", "views", "photos")}
    held_out = metrics["held_out"]["photos"]
    return CARD.format(table=curve_table(metrics), most=MOST_REPORTED, held_out=held_out, landmarks=landmarks, **about)


def curve_table(metrics: dict) -> str:
    """The whole curve, as Markdown."""
    val, count = metrics["val"], metrics["test"]["photos"]
    found = f"{val['iou_over_half']:.1%} found with IoU > 0.5, mean IoU {val['mean_iou']:.3f}"
    about = f"On val: of {val['heads']} heads, {found}. On test, never trained on (bold: the default threshold):"
    columns = ["threshold", f"{count['dog']} dogs: head found", "rightly placed"]
    columns += [f"{count[kind]} {kind}s reported" for kind in NOT_DOGS]
    rows = []
    for line in metrics["test"]["curve"]:
        shares = [line["dog"], line["located"], *(line[kind] for kind in NOT_DOGS)]
        name = f"{line['threshold']:.2f}"
        name = f"**{name}**" if line["threshold"] == metrics["threshold"] else name
        rows.append([name, *("" if share is None else f"{share:.1%}" for share in shares)])
    return "\n".join([about, "", *table(columns, rows)])


def landmarks_table(metrics: dict) -> str:
    """What the landmarks reach, as Markdown."""
    val, test, unsure, others = (metrics[key] for key in ("val", "test", "test_unsure", "test_no_dogs"))
    columns = ["heads", "mean error", "median", "frame right", "sure", "error of the sure", "frame right of the sure"]
    named = {"val heads, turned by up to 25 degrees, moved by 10 %, scaled by 0.8 to 1.25": val}
    named["dogs of Oxford-IIIT Pet whose teacher is sure, in whole photos"] = test
    rows = []
    for name, m in named.items():
        errors = [f"{m[key]:.4f}" for key in ("error", "error_median")]
        sure = [f"{m['sure']:.1%}", f"{m['sure_error']:.4f}", f"{m['sure_frame_right']:.1%}"]
        rows.append([name, str(m["heads"]), *errors, f"{m['frame_right']:.1%}", *sure])
    certainty = []
    for held in metrics["certainty"]:
        shares = ["" if held[key] is None else f"{held[key]:.2f}" for key in ("says", "right")]
        certainty.append([f"{held['from']:.2f} to {held['from'] + 0.25:.2f}", str(held["heads"]), *shares])
    lines = [
        *table(["", *columns], rows),
        "",
        f"The first look alone: {val['error_first_look']:.4f} on the turned heads. Sure of {metrics['aside_sure']:.1%} "
        f"of the heads that look aside (heads/aside/val), of {unsure['sure']:.1%} of the {unsure['heads']} dogs of "
        f"Oxford's whose teacher is not, and of {others['sure']} heads in {others['photos']} photos without dogs. "
        f"{test['missed']} dogs of Oxford's were not found where they are.",
        "",
        *table(["certainty (Oxford's dogs)", "heads", "says on average", "frame is right"], certainty),
    ]
    return "\n".join(lines)

"""ImageNet's 118 breeds of dogs by the names that people know."""

from torchvision.models import EfficientNet_B0_Weights

from ..features import DOGS

KNOWN_AS = {
    "Airedale": "Airedale terrier",
    "Appenzeller": "Appenzeller mountain dog",
    "basset": "basset hound",
    "black-and-tan coonhound": "black and tan coonhound",
    "Blenheim spaniel": "Cavalier King Charles spaniel",
    "bluetick": "bluetick coonhound",
    "Boston bull": "Boston terrier",
    "Brabancon griffon": "Brussels griffon",
    "bull mastiff": "bullmastiff",
    "cairn": "cairn terrier",
    "Cardigan": "Cardigan Welsh corgi",
    "chow": "chow chow",
    "clumber": "clumber spaniel",
    "Dandie Dinmont": "Dandie Dinmont terrier",
    "EntleBucher": "Entlebucher mountain dog",
    "Eskimo dog": "American Eskimo or sled dog",
    "groenendael": "Groenendael shepherd",
    "Japanese spaniel": "Japanese chin",
    "kelpie": "Australian kelpie",
    "Leonberg": "Leonberger",
    "Lhasa": "Lhasa apso",
    "malamute": "Alaskan malamute",
    "malinois": "Malinois shepherd",
    "Maltese dog": "Maltese",
    "Mexican hairless": "Mexican hairless dog",
    "Pekinese": "Pekingese",
    "Pembroke": "Pembroke Welsh corgi",
    "redbone": "redbone coonhound",
    "Scotch terrier": "Scottish terrier",
    "Shih-Tzu": "Shih Tzu",
    "Staffordshire bullterrier": "Staffordshire bull terrier",
    "Walker hound": "Treeing Walker coonhound",
    "wire-haired fox terrier": "wire fox terrier",
}

_CLASSES = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
BREEDS = [KNOWN_AS.get(_CLASSES[i], _CLASSES[i]) for i in DOGS]


def indices(names: str) -> list[int]:
    """Of breeds whose names are given with commas between them."""
    return [BREEDS.index(name) for name in names.split(", ")]

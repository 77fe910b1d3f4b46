"""The page of an identity's tracks, person by person: whether each is used, why, the line that decides otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import cv2
import pandas as pd

from vision.crops import Picture
from vision.edits import Edit, format_edit, point_at
from vision.page import embed_picture, render_page
from vision.people import BY_HAND, OWN, UNKNOWN, Verdict, Verdicts
from vision.portraits import Portrait, Portraits
from vision.whole import whole_file

JPEG_QUALITY = 85


@dataclass(frozen=True)
class TrackCard:
    """A track of a clip: the frames it spans, its faces, whom it shows, the verdict and its reason.

    `thumbs` are some of its faces in order of time; `edit` turns the verdict over.
    """

    clip: str
    track: int
    first_frame: int
    end_frame: int
    n_faces: int
    person: int
    is_used: bool
    reason: str
    thumbs: tuple[Picture, ...]
    edit: Edit


def write_page(
    path: Path, faces: pd.DataFrame, verdicts: Verdicts, portraits: Portraits, notes: Sequence[str] = ()
) -> None:
    """The page of all tracks, for people; the identity is the name of its folder. `notes` stand above the tracks."""
    identity = path.parent.name
    cards = [
        _make_card(rows, of_clip, verdicts[str(clip), track], portraits[str(clip), track])
        for clip, of_clip in faces.reset_index(drop=True).groupby("clip", sort=True)
        for track, rows in of_clip.groupby("track", sort=True)
    ]
    with whole_file(path) as partial:
        partial.write_text(render_tracks(identity, f"edits/{identity}/tracks.csv", cards, notes), encoding="utf-8")


def _make_card(rows: pd.DataFrame, clip: pd.DataFrame, verdict: Verdict, portrait: Portrait) -> TrackCard:
    """A track's card. `clip`: all faces of its clip."""
    return TrackCard(
        clip=str(rows["clip"].iloc[0]),
        track=int(rows["track"].iloc[0]),
        first_frame=int(rows["frame"].min()),
        end_frame=int(rows["frame"].max()) + 1,
        n_faces=len(rows),
        person=verdict.person,
        is_used=verdict.is_used,
        reason=verdict.reason,
        thumbs=tuple(portrait.thumbs),
        edit=point_at(rows, clip, is_used=not verdict.is_used),
    )


def render_tracks(identity: str, edits: str, cards: Sequence[TrackCard], notes: Sequence[str] = ()) -> str:
    """The page as HTML text, person by person; `edits` is the file that the lines are meant for."""
    n_used = sum(card.is_used for card in cards)
    lead = f"{n_used} of {len(cards)} tracks are taken for this person; the others are left alone."
    parts = [f"<h1>Tracks of {escape(identity)}</h1>", f'<p class="lead">{lead}</p>', *_explain(edits, cards)]
    parts += [f"<p><strong>{escape(note)}</strong></p>" for note in notes]
    parts.append(f"<table>\n{_HEADINGS}")
    people = sorted({card.person for card in cards}, key=lambda person: (person == UNKNOWN, person))
    for person in people:
        theirs = sorted(
            (card for card in cards if card.person == person),
            key=lambda card: (card.clip, card.first_frame, card.track),
        )
        parts.append(f'<tr><td colspan="4"><h2>{_name_person(person, theirs)}</h2></td></tr>')
        parts.extend(_render_card(card) for card in theirs)
    return render_page(f"Tracks of {identity}", [*parts, "</table>"])


def _explain(edits: str, cards: Sequence[TrackCard]) -> list[str]:
    """How the page's lines are used, and what follows from them."""
    paragraphs = [
        f"Where that is wrong, copy the line of the track to the end of {edits}, and build again. It always wins.",
        "A line with use also says who the person is: what looks like the tracks used by hand is taken, nothing else. "
        "What looks more like a track ignored by hand than like those is left alone.",
    ]
    html = [f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs]
    used = [card for card in cards if card.is_used]
    if used and all(card.reason != BY_HAND for card in used):
        largest = max(used, key=lambda card: card.n_faces)
        line = format_edit(replace(largest.edit, is_used=True))
        html.append(f"<p>To add a track to the person found, copy this line with the track's: <code>{line}</code></p>")
    return html


def _name_person(person: int, cards: Sequence[TrackCard]) -> str:
    """The heading over a person's tracks."""
    name = {OWN: "The identity's person", UNKNOWN: "Too short to tell"}.get(person, f"Person {person}")
    n_clips = len({card.clip for card in cards})
    tracks, clips = (f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((len(cards), "track"), (n_clips, "clip")))
    return f'{name} <span class="note">{tracks} in {clips}</span>'


_HEADINGS = "<tr><th>faces</th><th>where</th><th>decision</th><th>to decide otherwise</th></tr>"


def _render_card(card: TrackCard) -> str:
    thumbs = " ".join(embed_picture(_encode_jpeg(thumb), f"track {card.track}") for thumb in card.thumbs)
    word = "used" if card.is_used else "ignored"
    return (
        f'<tr class="{word}"><td class="faces">{thumbs}</td><td>'
        f"{escape(card.clip)}<br>frames {card.first_frame} to {card.end_frame - 1}<br>"
        f'<span class="note">track {card.track}, {card.n_faces} faces</span></td>'
        f"<td><strong>{word}</strong><br>{escape(card.reason)}</td><td><code>{format_edit(card.edit)}</code></td></tr>"
    )


def _encode_jpeg(picture: Picture) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    is_done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert is_done
    return data.tobytes()

"""The picture of a run: its records over time, and below, on the same axis, its jobs."""

from __future__ import annotations

from datetime import datetime, timedelta

from salesforce_bulk_plugin.formatting import duration, number
from salesforce_bulk_plugin.report.markup import Markup, element
from salesforce_bulk_plugin.report.runs import Run
from salesforce_bulk_plugin.report.summary_file import Job
from salesforce_bulk_plugin.report.verdicts import records

MAX_JOBS = 100
"""More than that many bars nobody reads."""

_MAX_POINTS = 500
_WIDTH, _HEIGHT = 1000, 200
_RUN_PERCENT = 97
"""How much of the width is the run; the rest shows where it has arrived, which mostly happens in its last moment."""

_GOOD_STATE = "JobComplete"


def timeline(run: Run) -> Markup | None:
    """Return the picture, or None for a run with too little to show, or that has not noted when things happened."""
    if run.summary is None or not run.summary.settled or run.started_at is None or run.ended_at is None:
        return None
    axis = _Axis(run.started_at, max(run.ended_at, *(one.at for one in run.summary.settled)))
    bars = [_bar(job, axis=axis, settled_at=_settled_at(run, job)) for job in shown_jobs(run) if job.created_at]
    plot = _plot(run, axis) if len(run.summary.settled) > 1 else None
    if not plot and not bars:
        return None
    return element(
        "figure",
        plot,
        element("ol", *bars, class_="bars", aria_label="Jobs in the order of their creation") if bars else None,
        element("div", element("div", *axis.labels(), style=f"width:{_RUN_PERCENT}%"), class_="axis"),
        _legend(has_jobs=bool(bars)),
        class_="timeline",
    )


def shown_jobs(run: Run) -> list[Job]:
    """Return the jobs, or of too many those that ended worst, in the order of their creation."""
    if len(run.jobs) <= MAX_JOBS:
        return list(run.jobs)

    def badness(job: Job) -> tuple[bool, int]:
        return job.state != _GOOD_STATE, job.records_failed or 0

    worst = {job.id for job in sorted(run.jobs, key=badness, reverse=True)[:MAX_JOBS]}
    return [job for job in run.jobs if job.id in worst]


def _settled_at(run: Run, job: Job) -> datetime | None:
    settled = run.summary.settled if run.summary else ()
    return next((one.at for one in settled if one.job_id == job.id), None)


class _Axis:
    """Time from left to right; places are percents of the width."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self._start = start
        self._length = max(end - start, timedelta(milliseconds=1))

    def place(self, at: datetime) -> float:
        """Return where a moment is; what was before the run is at its beginning."""
        return max(0.0, min(1.0, (at - self._start) / self._length)) * _RUN_PERCENT

    def labels(self) -> list[Markup]:
        """Return the times at the beginning, in the middle and at the end."""
        form = "minutes" if self._length > timedelta(hours=1) else "seconds"
        form = "milliseconds" if self._length < timedelta(seconds=10) else form
        times = [self._start, self._start + self._length / 2, self._start + self._length]
        return [element("time", at.time().isoformat(form), datetime=at.isoformat()) for at in times]


def _plot(run: Run, axis: _Axis) -> Markup:
    """Return what was loaded, and on top of it what was not, as areas that grow by steps."""
    settled = sorted(run.summary.settled if run.summary else (), key=lambda one: one.at)
    loaded = refused = 0
    points = [(0.0, 0, 0)]
    for one in settled:
        loaded += one.loaded
        refused += one.not_loaded
        points.append((axis.place(one.at), loaded, loaded + refused))
    thinned = [*points[:: len(points) // _MAX_POINTS + 1], points[-1], (100.0, loaded, loaded + refused)]
    top = max(loaded + refused, 1)
    title = f"{records(loaded + refused)} over {duration(run.duration_s or 0)}: {number(loaded)} loaded"
    grid = [
        element("line", x1="0", x2=str(_WIDTH), y1=str(y), y2=str(y), class_="grid") for y in (1, _HEIGHT // 2, _HEIGHT)
    ]
    svg = element(
        "svg",
        element("title", f"{title}, {number(refused)} not."),
        *grid,
        element("path", d=_steps([(x, all_) for x, _, all_ in thinned], top=top), class_="not-loaded"),
        element("path", d=_steps([(x, good) for x, good, _ in thinned], top=top), class_="loaded"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
    )
    scale = [element("span", number(value)) for value in (top, top / 2, 0)]
    return element("div", element("div", *scale, class_="scale", aria_hidden="true"), svg, class_="area")


def _steps(points: list[tuple[float, int]], *, top: int) -> str:
    """Return an area below a line that rises by steps, closed along the ground."""
    height = 0.0
    path = [f"M0 {_HEIGHT}"]
    for x, value in points:
        path.append(f"H{x / 100 * _WIDTH:.1f}")
        if value / top != height:
            height = value / top
            path.append(f"V{_HEIGHT * (1 - height):.1f}")
    return "".join([*path, f"V{_HEIGHT}Z"])


def _bar(job: Job, *, axis: _Axis, settled_at: datetime | None) -> Markup:
    """Return one job: its data being sent, Salesforce at work, its results being read."""
    moments = [job.created_at, job.closed_at, job.ended_at, settled_at]
    pieces, told = [], []
    begin = job.created_at
    for end, kind, words in zip(moments[1:], ("sent", "worked", "read"), _PARTS, strict=True):
        if begin and end:
            left, right = axis.place(begin), axis.place(end)
            pieces.append(element("i", class_=kind, style=f"left:{left:.2f}%;width:{right - left:.2f}%"))
            told.append(f"{words} {duration((end - begin).total_seconds())}")
        begin = end or begin
    is_good = job.state == _GOOD_STATE
    rows = "" if job.rows is None else f" · {number(job.rows)} rows"
    return element(
        "li",
        element("span", f"{job.stream}{rows}", "" if is_good else element("b", f" {job.state}"), class_="name"),
        element("span", *pieces, class_="track", title=f"Job {job.id}, {job.state}: {', '.join(told) or 'no times'}"),
        class_=None if is_good else "bad",
    )


_PARTS = ("data sent in", "Salesforce worked for", "results read in")


def _legend(*, has_jobs: bool) -> Markup:
    entries = [("loaded", "loaded"), ("not-loaded", "not loaded")]
    if has_jobs:
        entries += [("sent", "job data being sent"), ("worked", "Salesforce at work"), ("read", "results being read")]
    parts = [element("span", element("i", class_=kind), words) for kind, words in entries]
    return element("figcaption", *parts, " Times are UTC.")

from __future__ import annotations

import numpy as np

COPY = """
mov.u32 %r1, %ctaid.x; shl.b32 %r1, %r1, 5; add.s32 %r1, %r1, %r0;
mad.wide.u32 %rd3, %r1, {stride}, %rd1; mad.wide.u32 %rd4, %r1, 4, %rd2;
ld.global.b32 %r2, [%rd3]; {again} st.global.b32 [%rd4], %r2;
"""


def test_contiguous_copy(run) -> None:
    x, out = np.arange(64, dtype=np.uint32), np.zeros(64, np.uint32)
    traffic = run(COPY.format(stride=4, again=""), x, out, grid=(2,), trace=True).traffic
    read, written = traffic.read_buffers[0], traffic.written_buffers[1]
    assert (read.requested, read.filled, read.per_block, read.compulsory) == (256,) * 4
    assert (written.requested, written.compulsory, written.instructions) == (256, 256, 2)
    assert set(traffic.kinds) == {"ld.global", "st.global"}
    assert traffic.reads == read
    assert traffic.writes == written


def test_strided_reads_fill_whole_sectors(run) -> None:
    x, out = np.arange(1024, dtype=np.uint32), np.zeros(32, np.uint32)
    read = run(COPY.format(stride=128, again=""), x, out, trace=True).traffic.reads
    assert (read.requested, read.filled, read.compulsory) == (128, 32 * 32, 32 * 32)


def test_what_is_read_again_is_filled_again(run) -> None:
    """By instruction, by block with a perfect first-level cache, and once a launch."""
    x, out = np.zeros(32, np.uint32), np.zeros(64, np.uint32)
    body = COPY.format(stride=0, again="ld.global.b32 %r2, [%rd3];")
    read = run(body, x, out, grid=(2,), trace=True).traffic.reads
    assert (read.requested, read.filled) == (2 * 2 * 128, 2 * 2 * 32)
    assert (read.per_block, read.compulsory) == (2 * 32, 32)


def test_each_warp_fills_for_itself(run) -> None:
    x, out = np.zeros(64, np.uint32), np.zeros(64, np.uint32)
    body = COPY.format(stride=0, again="")
    read = run(body, x, out, threads=64, schedule="lockstep", trace=True).traffic.reads
    assert (read.filled, read.per_block) == (2 * 32, 32)


def test_asynchronous_copies(run) -> None:
    x = np.zeros(128, np.float32)
    body = "mad.wide.u32 %rd3, %r0, 16, %rd1; shl.b32 %r1, %r0, 4; setp.lt.u32 %p1, %r0, 8;"
    body += "selp.b32 %r2, 16, 0, %p1; cp.async.cg.shared.global [%r1], [%rd3], 16, %r2;"
    traffic = run(body + "cp.async.wait_all;", x, trace=True).traffic
    assert traffic.kinds["cp.async"].requested == 8 * 16
    assert traffic.read_buffers[0].compulsory == 8 * 16


def test_some_blocks(run) -> None:
    x, out = np.arange(96, dtype=np.uint32), np.zeros(96, np.uint32)
    done = run(COPY.format(stride=4, again=""), x, out, grid=(3,), blocks=[1], trace=True)
    assert done.traffic.reads.requested == 128
    np.testing.assert_array_equal(out, np.where(x // 32 == 1, x, 0))


def test_counts(run) -> None:
    done = run("bar.sync 0;", np.zeros(1), threads=64)
    assert done.instructions["bar"] == 2
    assert done.total == sum(done.counts) == sum(done.instructions.values())
    assert done.traffic is None

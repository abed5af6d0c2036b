"""The PIO programs. Their names shadow built-ins, so they live in a file of their own."""

from rp2 import PIO, asm_pio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rp2.asm_pio import *


@asm_pio()
def edge_marks():
    """Push one word at every edge of the first IN pin, a rising one first.

    The word itself means nothing; the first wait keeps a pin that is high already from
    passing for an edge.
    """
    wait(0, pin, 0)
    wrap_target()
    wait(1, pin, 0)
    push(block)
    wait(0, pin, 0)
    push(block)
    wrap()


@asm_pio(
    sideset_init=PIO.OUT_LOW,
    out_shiftdir=PIO.SHIFT_RIGHT,
    autopull=True,
    pull_thresh=32,
)
def carrier_words():
    """Play words of one low time and one high time; an empty FIFO stalls with the pin low.

    A word w holds the pin low for (w & 0xFFFF) + 3 ticks, then high for (w >> 16) + 1. The
    FIFO stays at four words: what is in it can no longer be changed.
    """
    wrap_target()
    out(x, 16).side(0)
    out(y, 16).side(0)
    label("low")
    jmp(x_dec, "low").side(0)
    label("high")
    jmp(y_dec, "high").side(1)
    wrap()

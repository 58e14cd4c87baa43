package io.hydra4j.text.jinja;

/** What Python takes for white space. */
final class Whitespace {
    private Whitespace() {}

    static boolean is(char c) {
        return c >= '\t' && c <= '\r' || c >= 0x1C && c <= ' ' || c == 0x85 || c > 0x7F && Character.isSpaceChar(c);
    }
}

package io.hydra4j.text.jinja;

/**
 * A piece of a template.
 *
 * @param kind what it is
 * @param text its characters; of a string what it stands for
 * @param line counted from 1
 */
record Token(Kind kind, String text, int line) {
    enum Kind {
        DATA,
        PRINT_BEGIN,
        PRINT_END,
        BLOCK_BEGIN,
        BLOCK_END,
        NAME,
        STRING,
        INTEGER,
        REAL,
        OPERATOR,
        END
    }

    boolean is(Kind expected, String value) {
        return kind == expected && text.equals(value);
    }

    boolean isName(String name) {
        return is(Kind.NAME, name);
    }

    boolean isOperator(String operator) {
        return is(Kind.OPERATOR, operator);
    }
}

package io.hydra4j.text.jinja;

import io.hydra4j.ChatTemplateException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a template into tokens, as Jinja does with {@code trim_blocks} and {@code lstrip_blocks}: the line break after a block and
 * the spaces before one on its line are not text, nor is a line break at the very end.
 */
final class Lexer {
    private static final List<String> OPERATORS = List.of(
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
            "=", ".", ":", "|", ",", ";");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private final Deque<Character> open = new ArrayDeque<>();
    private int at;
    private int counted;
    private int line = 1;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String template) {
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        return new Lexer(source.endsWith("\n") ? source.substring(0, source.length() - 1) : source).all();
    }

    private List<Token> all() {
        boolean isLineStart = true;
        while (at < source.length()) {
            int tag = nextTag();
            if (tag < 0) {
                data(source.substring(at));
                at = source.length();
                break;
            }
            char kind = source.charAt(tag + 1);
            char sign = sign(tag + 2);
            data(before(tag, sign, kind != '{', isLineStart));
            at = tag + (sign == ' ' ? 2 : 3);
            if (kind == '#') {
                skipComment();
            } else if (kind == '{') {
                add(Token.Kind.PRINT_BEGIN, "{{");
                tag("}}", Token.Kind.PRINT_END);
            } else if (!raw()) {
                add(Token.Kind.BLOCK_BEGIN, "{%");
                tag("%}", Token.Kind.BLOCK_END);
            }
            isLineStart = source.charAt(at - 1) == '\n';
        }
        add(Token.Kind.END, "the end");
        return tokens;
    }

    private int nextTag() {
        for (int i = source.indexOf('{', at); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            if ("{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    private char sign(int index) {
        char c = index < source.length() ? source.charAt(index) : ' ';
        return c == '-' || c == '+' ? c : ' ';
    }

    /** The text before a tag. */
    private String before(int tag, char sign, boolean isBlock, boolean isLineStart) {
        int end = tag;
        if (sign == '-') {
            while (end > at && Whitespace.is(source.charAt(end - 1))) {
                end--;
            }
        } else if (sign != '+' && isBlock) {
            int lineStart = source.lastIndexOf('\n', tag - 1) + 1;
            boolean startsLine = lineStart > at || isLineStart;
            int from = Math.max(lineStart, at);
            if (startsLine && source.substring(from, tag).chars().allMatch(c -> Whitespace.is((char) c))) {
                end = from;
            }
        }
        return source.substring(at, end);
    }

    private void data(String text) {
        if (!text.isEmpty()) {
            add(Token.Kind.DATA, text);
        }
    }

    private void add(Token.Kind kind, String text) {
        while (counted < at) {
            line += source.charAt(counted++) == '\n' ? 1 : 0;
        }
        tokens.add(new Token(kind, text, line));
    }

    private ChatTemplateException.Invalid invalid(String problem) {
        add(Token.Kind.END, "");
        return new ChatTemplateException.Invalid(line, problem);
    }

    private void skipComment() {
        int end = source.indexOf("#}", at);
        if (end < 0) {
            throw invalid("a comment has no end: write #}");
        }
        char sign = end > at ? sign(end - 1) : ' ';
        at = end + 2;
        afterTag(sign, true);
    }

    /** What a tag's end takes of the text behind it. */
    private void afterTag(char sign, boolean isBlock) {
        if (sign == '-') {
            skipWhitespace();
        } else if (sign == ' ' && isBlock && source.startsWith("\n", at)) {
            at++;
        }
    }

    private void skipWhitespace() {
        while (at < source.length() && Whitespace.is(source.charAt(at))) {
            at++;
        }
    }

    /** Text that is meant as it stands, up to its end; false, and nothing done, where this block is another one. */
    private boolean raw() {
        int start = at;
        int end = blockNamed("raw");
        if (end < 0) {
            at = start;
            return false;
        }
        at = end;
        if (source.startsWith("-%}", end - 3)) {
            skipWhitespace();
        }
        int textStart = at;
        for (int tag = source.indexOf("{%", at); tag >= 0; tag = source.indexOf("{%", tag + 2)) {
            char sign = sign(tag + 2);
            at = tag + (sign == ' ' ? 2 : 3);
            int after = blockNamed("endraw");
            if (after >= 0) {
                at = textStart;
                data(before(tag, sign, true, textStart > 0 && source.charAt(textStart - 1) == '\n'));
                at = after;
                afterTag(sign(after - 3), true);
                return true;
            }
        }
        throw invalid("a raw block has no end: write {% endraw %}");
    }

    /** The end of a block that consists of this name alone, and begins here behind its sign; -1 where it is another one. */
    private int blockNamed(String name) {
        skipWhitespace();
        if (!source.startsWith(name, at)) {
            return -1;
        }
        at += name.length();
        skipWhitespace();
        int end = at + (sign(at) == ' ' ? 0 : 1);
        return source.startsWith("%}", end) ? end + 2 : -1;
    }

    private void tag(String end, Token.Kind endKind) {
        boolean isBlock = endKind == Token.Kind.BLOCK_END;
        while (true) {
            skipWhitespace();
            if (at >= source.length()) {
                throw invalid("a tag has no end: write " + end);
            }
            char sign = sign(at);
            boolean isSigned = sign == '-' || sign == '+' && isBlock;
            if (open.isEmpty() && source.startsWith(end, isSigned ? at + 1 : at)) {
                add(endKind, end);
                at += isSigned ? 3 : 2;
                afterTag(isSigned ? sign : ' ', isBlock);
                return;
            }
            token();
        }
    }

    private void token() {
        char c = source.charAt(at);
        if (c >= '0' && c <= '9') {
            number();
        } else if (Character.isUnicodeIdentifierStart(c) || c == '_') {
            int from = at;
            while (at < source.length() && isNamePart(source.charAt(at))) {
                at++;
            }
            add(Token.Kind.NAME, source.substring(from, at));
        } else if (c == '\'' || c == '"') {
            string(c);
        } else {
            operator();
        }
    }

    private static boolean isNamePart(char c) {
        return c == '_' || Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c);
    }

    private void number() {
        int from = at;
        digits();
        boolean isReal = source.startsWith(".", at) && isDigit(at + 1);
        if (isReal) {
            at++;
            digits();
        }
        int exponent = at + 1 + (sign(at + 1) == ' ' ? 0 : 1);
        if (at < source.length() && (source.charAt(at) | 0x20) == 'e' && isDigit(exponent)) {
            at = exponent;
            digits();
            isReal = true;
        }
        add(
                isReal ? Token.Kind.REAL : Token.Kind.INTEGER,
                source.substring(from, at).replace("_", ""));
    }

    private void digits() {
        while (isDigit(at) || source.startsWith("_", at) && isDigit(at + 1)) {
            at++;
        }
    }

    private boolean isDigit(int index) {
        return index < source.length() && source.charAt(index) >= '0' && source.charAt(index) <= '9';
    }

    private void string(char quote) {
        int from = ++at;
        while (at < source.length() && source.charAt(at) != quote) {
            at += source.charAt(at) == '\\' ? 2 : 1;
        }
        if (at >= source.length()) {
            at = source.length();
            throw invalid("a string has no end: write " + quote);
        }
        String text = Escapes.resolve(source.substring(from, at));
        if (text == null) {
            throw invalid("a string has an escape that stands for no character");
        }
        at++;
        add(Token.Kind.STRING, text);
    }

    private void operator() {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                balance(operator.charAt(0));
                at += operator.length();
                add(Token.Kind.OPERATOR, operator);
                return;
            }
        }
        throw invalid("'" + source.charAt(at) + "' is not expected");
    }

    private void balance(char c) {
        int opening = "([{".indexOf(c);
        if (opening >= 0) {
            open.push(")]}".charAt(opening));
        } else if (")]}".indexOf(c) >= 0 && (open.isEmpty() || open.pop() != c)) {
            throw invalid("'" + c + "' is not expected");
        }
    }
}

package io.hydra4j.text.jinja;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Reads expressions, with Jinja's precedence. What follows each other is kept in lists, so that only brackets nest. */
class ExpressionParser {
    /** Of brackets, tags and conditions inside each other; published templates have a dozen. */
    private static final int DEEPEST = 100;

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final List<Token> tokens;
    private int at;
    private int depth;
    private int deepest;
    private Set<String> names = new HashSet<>();

    ExpressionParser(List<Token> tokens) {
        this.tokens = tokens;
    }

    final Token peek() {
        return tokens.get(at);
    }

    private Token peekNext() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    final Token next() {
        Token token = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    final boolean skipName(String name) {
        return skip(Token.Kind.NAME, name);
    }

    final boolean skipOperator(String operator) {
        return skip(Token.Kind.OPERATOR, operator);
    }

    private boolean skip(Token.Kind kind, String text) {
        boolean found = peek().is(kind, text);
        if (found) {
            next();
        }
        return found;
    }

    final ChatTemplateException.Invalid unexpected(String expected) {
        return new ChatTemplateException.Invalid(
                peek().line(), "'" + peek().text() + "' stands where " + expected + " is expected");
    }

    final Token expect(Token.Kind kind, String what) {
        if (peek().kind() != kind) {
            throw unexpected(what);
        }
        return next();
    }

    final void expectOperator(String operator) {
        if (!skipOperator(operator)) {
            throw unexpected("'" + operator + "'");
        }
    }

    final void enter() {
        depth++;
        deepest = Math.max(deepest, depth);
        if (depth > DEEPEST) {
            throw new ChatTemplateException.TooExpensive(DEEPEST + " levels of brackets and blocks inside each other");
        }
    }

    final void leave() {
        depth--;
    }

    /** The names and levels of what is read from now on are told apart from those before. */
    final class Part {
        private final Set<String> namesBefore = names;
        private final int deepestBefore = deepest;
        private final int start = depth;

        Part() {
            names = new HashSet<>();
            deepest = depth;
        }

        /** Whether a name was read in this part. */
        boolean uses(String name) {
            return names.contains(name);
        }

        /** Ends the part: how many levels it has. */
        int end() {
            int levels = deepest - start + 1;
            namesBefore.addAll(names);
            names = namesBefore;
            deepest = Math.max(deepest, deepestBefore);
            return levels;
        }
    }

    final Expression expression() {
        enter();
        Expression value = either();
        if (skipName("if")) {
            Expression condition = either();
            value = new Expression.Conditional(condition, value, skipName("else") ? expression() : null);
            if (peek().isName("if")) {
                throw unexpected("the end of a condition, or brackets around it,");
            }
        }
        leave();
        return value;
    }

    /** One expression, or several with commas between, which are a tuple. */
    final Expression tuple(boolean conditional) {
        List<Expression> items = new ArrayList<>();
        boolean isTuple = false;
        while (!endsTuple()) {
            items.add(conditional ? expression() : either());
            if (!skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (items.isEmpty()) {
            throw unexpected("an expression");
        }
        return isTuple ? new Expression.TupleLiteral(items) : items.get(0);
    }

    private boolean endsTuple() {
        Token token = peek();
        return token.kind() == Token.Kind.BLOCK_END
                || token.kind() == Token.Kind.PRINT_END
                || token.isOperator(")")
                || token.isOperator("=")
                || token.isName("recursive");
    }

    /** An expression without a condition. */
    final Expression either() {
        Expression first = both();
        if (!peek().isName("or")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (skipName("or")) {
            parts.add(both());
        }
        return new Expression.Joined(parts, true);
    }

    private Expression both() {
        Expression first = negation();
        if (!peek().isName("and")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (skipName("and")) {
            parts.add(negation());
        }
        return new Expression.Joined(parts, false);
    }

    private Expression negation() {
        boolean isNegated = false;
        boolean isBoolean = false;
        while (skipName("not")) {
            isNegated = !isNegated;
            isBoolean = true;
        }
        Expression value = comparison();
        return isBoolean ? new Expression.Truth(value, isNegated) : value;
    }

    private Expression comparison() {
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> operands = new ArrayList<>();
        for (String operator = comparisonOperator(); operator != null; operator = comparisonOperator()) {
            operators.add(operator);
            operands.add(sum());
        }
        return operators.isEmpty() ? first : new Expression.Comparison(first, operators, operands);
    }

    private String comparisonOperator() {
        if (peek().kind() == Token.Kind.OPERATOR && COMPARISONS.contains(peek().text())) {
            return next().text();
        }
        if (skipName("in")) {
            return "in";
        }
        if (peek().isName("not") && peekNext().isName("in")) {
            next();
            next();
            return "not in";
        }
        return null;
    }

    /** Reads operands of the next level of precedence. */
    private interface Level {
        Expression read();
    }

    private Expression chain(Level level, Set<String> operators) {
        Expression first = level.read();
        if (peek().kind() != Token.Kind.OPERATOR || !operators.contains(peek().text())) {
            return first;
        }
        List<String> found = new ArrayList<>();
        List<Expression> operands = new ArrayList<>();
        while (peek().kind() == Token.Kind.OPERATOR && operators.contains(peek().text())) {
            found.add(next().text());
            operands.add(level.read());
        }
        return new Expression.Chain(first, found, operands);
    }

    private Expression sum() {
        return chain(this::concatenation, Set.of("+", "-"));
    }

    private Expression concatenation() {
        Expression first = product();
        if (!peek().isOperator("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (skipOperator("~")) {
            parts.add(product());
        }
        return new Expression.Concatenation(parts);
    }

    private Expression product() {
        return chain(() -> chain(() -> unary(true), Set.of("**")), Set.of("*", "/", "//", "%"));
    }

    private Expression unary(boolean filters) {
        Expression value;
        if (peek().isOperator("-") || peek().isOperator("+")) {
            enter();
            boolean isNegated = next().text().equals("-");
            value = new Expression.Signed(unary(false), isNegated);
            leave();
        } else {
            value = primary();
        }
        List<Suffix> suffixes = new ArrayList<>();
        postfix(suffixes);
        if (filters) {
            filters(suffixes);
        }
        return suffixes.isEmpty() ? value : new Expression.Postfix(value, suffixes);
    }

    private Expression primary() {
        Token token = next();
        switch (token.kind()) {
            case NAME:
                return name(token.text());
            case STRING:
                StringBuilder text = new StringBuilder(token.text());
                while (peek().kind() == Token.Kind.STRING) {
                    text.append(next().text());
                }
                return new Expression.Constant(PromptText.own(text.toString()));
            case INTEGER:
                return new Expression.Constant(integer(token));
            case REAL:
                return new Expression.Constant(Double.valueOf(token.text()));
            default:
                break;
        }
        if (token.isOperator("(")) {
            return inBrackets();
        }
        if (token.isOperator("[")) {
            return new Expression.ListLiteral(items("]"));
        }
        if (token.isOperator("{")) {
            return mapping();
        }
        at--;
        throw unexpected("an expression");
    }

    private static Long integer(Token token) {
        try {
            return Long.valueOf(token.text());
        } catch (NumberFormatException e) {
            throw new ChatTemplateException.Invalid(token.line(), token.text() + " has more than 64 bits");
        }
    }

    private Expression name(String name) {
        switch (name) {
            case "true", "True":
                return new Expression.Constant(true);
            case "false", "False":
                return new Expression.Constant(false);
            case "none", "None":
                return new Expression.Constant(null);
            default:
                names.add(name);
                return new Expression.Name(name);
        }
    }

    private Expression inBrackets() {
        enter();
        Expression value = peek().isOperator(")") ? new Expression.TupleLiteral(List.of()) : tuple(true);
        expectOperator(")");
        leave();
        return value;
    }

    private List<Expression> items(String end) {
        List<Expression> items = new ArrayList<>();
        while (!skipOperator(end)) {
            if (!items.isEmpty()) {
                expectOperator(",");
                if (skipOperator(end)) {
                    break;
                }
            }
            items.add(expression());
        }
        return items;
    }

    private Expression mapping() {
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!skipOperator("}")) {
            if (!keys.isEmpty()) {
                expectOperator(",");
                if (skipOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            expectOperator(":");
            values.add(expression());
        }
        return new Expression.MapLiteral(keys, values);
    }

    private void postfix(List<Suffix> suffixes) {
        while (true) {
            if (skipOperator(".")) {
                suffixes.add(attribute());
            } else if (skipOperator("[")) {
                suffixes.add(item());
                expectOperator("]");
            } else if (peek().isOperator("(")) {
                suffixes.add(new Suffix.Call(arguments()));
            } else {
                return;
            }
        }
    }

    private Suffix attribute() {
        Token token = next();
        if (token.kind() == Token.Kind.INTEGER) {
            return new Suffix.Item(new Expression.Constant(integer(token)));
        }
        if (token.kind() != Token.Kind.NAME) {
            at--;
            throw unexpected("a name");
        }
        return new Suffix.Attribute(token.text());
    }

    private Suffix item() {
        Expression from = peek().isOperator(":") ? null : expression();
        if (!skipOperator(":")) {
            return new Suffix.Item(from);
        }
        Expression to = endsSlice() ? null : expression();
        Expression step = !skipOperator(":") || endsSlice() ? null : expression();
        return new Suffix.Slice(from, to, step);
    }

    private boolean endsSlice() {
        return peek().isOperator(":") || peek().isOperator("]");
    }

    private void filters(List<Suffix> suffixes) {
        while (true) {
            if (skipOperator("|")) {
                suffixes.add(filter());
            } else if (skipName("is")) {
                suffixes.add(test());
            } else if (peek().isOperator("(")) {
                suffixes.add(new Suffix.Call(arguments()));
            } else {
                return;
            }
        }
    }

    final Suffix filter() {
        String name = expect(Token.Kind.NAME, "the name of a filter").text();
        return new Suffix.Filter(name, peek().isOperator("(") ? arguments() : ArgumentList.NONE);
    }

    private Suffix test() {
        boolean isNegated = skipName("not");
        String name = expect(Token.Kind.NAME, "the name of a test").text();
        if (peek().isOperator("(")) {
            return new Suffix.Test(name, arguments(), isNegated);
        }
        if (!startsArgument()) {
            return new Suffix.Test(name, ArgumentList.NONE, isNegated);
        }
        enter();
        Expression argument = primary();
        List<Suffix> suffixes = new ArrayList<>();
        postfix(suffixes);
        leave();
        Expression whole = suffixes.isEmpty() ? argument : new Expression.Postfix(argument, suffixes);
        return new Suffix.Test(name, ArgumentList.of(whole), isNegated);
    }

    private boolean startsArgument() {
        Token token = peek();
        return switch (token.kind()) {
            case STRING, INTEGER, REAL -> true;
            case NAME -> !Set.of("else", "or", "and", "if", "is", "in", "not", "recursive")
                    .contains(token.text());
            case OPERATOR -> token.text().equals("[") || token.text().equals("{");
            default -> false;
        };
    }

    final ArgumentList arguments() {
        expectOperator("(");
        enter();
        List<Expression> positional = new ArrayList<>();
        List<String> names = new ArrayList<>();
        List<Expression> named = new ArrayList<>();
        Expression more = null;
        Expression moreNamed = null;
        boolean isFirst = true;
        while (!skipOperator(")")) {
            if (!isFirst) {
                expectOperator(",");
                if (skipOperator(")")) {
                    break;
                }
            }
            isFirst = false;
            if (skipOperator("**")) {
                moreNamed = expression();
            } else if (skipOperator("*")) {
                more = expression();
            } else if (peek().kind() == Token.Kind.NAME && peekNext().isOperator("=")) {
                names.add(next().text());
                next();
                named.add(expression());
            } else if (names.isEmpty() && more == null && moreNamed == null) {
                positional.add(expression());
            } else {
                throw unexpected("a named argument");
            }
        }
        leave();
        return new ArgumentList(positional, names, named, more, moreNamed);
    }
}

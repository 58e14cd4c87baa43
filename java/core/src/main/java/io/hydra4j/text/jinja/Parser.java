package io.hydra4j.text.jinja;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.text.PromptText;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Reads the statements of a template. */
final class Parser extends ExpressionParser {
    private int loops;

    private Parser(List<Token> tokens) {
        super(tokens);
    }

    static Body parse(String template) {
        Parser parser = new Parser(Lexer.tokens(template));
        return parser.body(Set.of());
    }

    /** Up to one of these tags, behind whose beginning it stops; up to the end where there are none. */
    private Body body(Set<String> ends) {
        enter();
        List<Statement> statements = new ArrayList<>();
        List<Integer> lines = new ArrayList<>();
        while (true) {
            Token token = next();
            int line = token.line();
            switch (token.kind()) {
                case DATA:
                    statements.add(new Statement.Data(PromptText.own(token.text())));
                    break;
                case PRINT_BEGIN:
                    statements.add(new Statement.Print(tuple(true)));
                    expect(Token.Kind.PRINT_END, "}}");
                    break;
                case BLOCK_BEGIN:
                    if (peek().kind() == Token.Kind.NAME && ends.contains(peek().text())) {
                        leave();
                        return new Body(statements, lines);
                    }
                    statements.add(statement());
                    break;
                default:
                    if (ends.isEmpty()) {
                        leave();
                        return new Body(statements, lines);
                    }
                    throw new ChatTemplateException.Invalid(line, "the template ends before " + ends);
            }
            lines.add(line);
        }
    }

    private Body bodyTo(String end) {
        expect(Token.Kind.BLOCK_END, "%}");
        Body body = body(Set.of(end));
        next();
        expect(Token.Kind.BLOCK_END, "%}");
        return body;
    }

    private Statement statement() {
        Token name = expect(Token.Kind.NAME, "the name of a tag");
        return switch (name.text()) {
            case "if" -> condition();
            case "for" -> loop();
            case "set" -> set();
            case "macro" -> macro();
            case "call" -> call();
            case "filter" -> filtered();
            case "with" -> with();
            case "generation" -> new Statement.Plain(bodyTo("endgeneration"));
            case "break", "continue" -> jump(name);
            default -> throw new ChatTemplateException.Invalid(
                    name.line(), "the tag '" + name.text() + "' is not known here");
        };
    }

    private Statement jump(Token name) {
        if (loops == 0) {
            throw new ChatTemplateException.Invalid(name.line(), "'" + name.text() + "' stands outside of a loop");
        }
        expect(Token.Kind.BLOCK_END, "%}");
        return new Statement.Jump(name.text().equals("break") ? Statement.Flow.BREAK : Statement.Flow.CONTINUE);
    }

    private Statement condition() {
        List<Expression> conditions = new ArrayList<>();
        List<Body> bodies = new ArrayList<>();
        String tag = "if";
        while (!tag.equals("endif")) {
            if (!tag.equals("else")) {
                conditions.add(tuple(false));
            }
            expect(Token.Kind.BLOCK_END, "%}");
            bodies.add(body(tag.equals("else") ? Set.of("endif") : Set.of("elif", "else", "endif")));
            tag = next().text();
        }
        expect(Token.Kind.BLOCK_END, "%}");
        return new Statement.If(conditions, bodies);
    }

    private Statement loop() {
        Part part = new Part();
        Target target = target(false);
        if (!skipName("in")) {
            throw unexpected("'in'");
        }
        Expression elements = tuple(false);
        Expression condition = skipName("if") ? expression() : null;
        boolean isRecursive = skipName("recursive");
        expect(Token.Kind.BLOCK_END, "%}");
        loops++;
        Body body = body(Set.of("endfor", "else"));
        loops--;
        Body otherwise = null;
        if (next().isName("else")) {
            expect(Token.Kind.BLOCK_END, "%}");
            otherwise = body(Set.of("endfor"));
            next();
        }
        expect(Token.Kind.BLOCK_END, "%}");
        return new Statement.For(target, elements, condition, body, otherwise, isRecursive, part.end());
    }

    /** One target, or several with commas between. */
    private Target target(boolean attributes) {
        List<Target> parts = new ArrayList<>();
        boolean isTuple = false;
        while (peek().kind() == Token.Kind.NAME && !peek().isName("in") || peek().isOperator("(")) {
            parts.add(onlyTarget(attributes));
            if (!skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (parts.isEmpty()) {
            throw unexpected("a variable");
        }
        return isTuple ? new Target.Several(parts) : parts.get(0);
    }

    private Target onlyTarget(boolean attributes) {
        if (skipOperator("(")) {
            enter();
            Target target = target(attributes);
            leave();
            expectOperator(")");
            return target;
        }
        Token name = expect(Token.Kind.NAME, "a variable");
        if (Set.of("true", "false", "none", "True", "False", "None").contains(name.text())) {
            throw new ChatTemplateException.Invalid(name.line(), "'" + name.text() + "' cannot be set");
        }
        return attributes && skipOperator(".")
                ? new Target.Attribute(
                        name.text(), expect(Token.Kind.NAME, "a name").text())
                : new Target.Variable(name.text());
    }

    private Statement set() {
        Target target = target(true);
        if (skipOperator("=")) {
            Expression value = tuple(true);
            expect(Token.Kind.BLOCK_END, "%}");
            return new Statement.Set(target, value);
        }
        List<Suffix> filters = new ArrayList<>();
        while (skipOperator("|")) {
            filters.add(filter());
        }
        return new Statement.SetText(target, filters, bodyTo("endset"));
    }

    private Statement filtered() {
        List<Suffix> filters = new ArrayList<>();
        do {
            filters.add(filter());
        } while (skipOperator("|"));
        return new Statement.Filtered(filters, bodyTo("endfilter"));
    }

    private Statement with() {
        List<Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (peek().kind() != Token.Kind.BLOCK_END) {
            if (!targets.isEmpty()) {
                expectOperator(",");
            }
            targets.add(onlyTarget(false));
            expectOperator("=");
            values.add(expression());
        }
        return new Statement.With(targets, values, bodyTo("endwith"));
    }

    private Statement macro() {
        String name = expect(Token.Kind.NAME, "the name of a macro").text();
        return definition(name, "endmacro", true);
    }

    /** Parameters and body. */
    private Statement.MacroDefinition definition(String name, String end, boolean needsParameters) {
        Part part = new Part();
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        if (needsParameters || peek().isOperator("(")) {
            expectOperator("(");
            while (!skipOperator(")")) {
                if (!parameters.isEmpty()) {
                    expectOperator(",");
                    if (skipOperator(")")) {
                        break;
                    }
                }
                parameters.add(expect(Token.Kind.NAME, "a parameter").text());
                defaults.add(skipOperator("=") ? expression() : null);
            }
        }
        return finished(name, parameters, defaults, end, part);
    }

    private Statement.MacroDefinition finished(
            String name, List<String> parameters, List<Expression> defaults, String end, Part part) {
        int around = loops;
        loops = 0;
        Body body = bodyTo(end);
        loops = around;
        return new Statement.MacroDefinition(
                name,
                parameters,
                defaults,
                body,
                part.uses("caller"),
                part.uses("varargs"),
                part.uses("kwargs"),
                part.end());
    }

    private Statement call() {
        Part part = new Part();
        List<String> parameters = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        if (skipOperator("(")) {
            while (!skipOperator(")")) {
                if (!parameters.isEmpty()) {
                    expectOperator(",");
                }
                parameters.add(expect(Token.Kind.NAME, "a parameter").text());
                defaults.add(skipOperator("=") ? expression() : null);
            }
        }
        Expression called = expression();
        if (!(called instanceof Expression.Postfix postfix)
                || !(postfix.suffixes().get(postfix.suffixes().size() - 1) instanceof Suffix.Call last)) {
            throw unexpected("a call before it");
        }
        List<Suffix> before = postfix.suffixes().subList(0, postfix.suffixes().size() - 1);
        return new Statement.CallWithBody(
                before.isEmpty() ? postfix.first() : new Expression.Postfix(postfix.first(), before),
                last.arguments(),
                finished("caller", parameters, defaults, "endcall", part));
    }
}

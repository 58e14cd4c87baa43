package io.hydra4j.text.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.hydra4j.ChatTemplateException;
import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import io.hydra4j.text.PromptText;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The interpreter says what Jinja2 says, spends no more than it may, and knows which of its output was handed in. */
class TemplateTest {
    private static final LocalDateTime NOW = LocalDateTime.of(2026, 3, 5, 9, 7, 2);

    private static PromptText render(String source, Map<String, ?> variables) {
        return Template.parse(source).render(variables, () -> NOW);
    }

    /** The parts of a text, foreign ones in braces. */
    private static String marked(PromptText text) {
        StringBuilder marked = new StringBuilder();
        boolean isForeign = false;
        for (int i = 0; i < text.length(); i++) {
            if (text.isForeign(i) != isForeign) {
                marked.append(isForeign ? '}' : '{');
                isForeign = !isForeign;
            }
            marked.append(text.text().charAt(i));
        }
        return marked.append(isForeign ? "}" : "").toString();
    }

    /** Made with Jinja2 3.1.6, set up as transformers 5.24 do. */
    @TestFactory
    Stream<DynamicTest> templatesSayWhatJinjaSays() throws IOException {
        Fields json;
        try (InputStream in = TemplateTest.class.getResourceAsStream("/jinja/cases.json")) {
            json = StrictJson.parse(Path.of("cases.json"), "file", in.readAllBytes());
        }
        Map<String, Object> variables = new HashMap<>();
        json.object("variables")
                .names()
                .forEach(name -> variables.put(name, json.object("variables").value(name)));
        return StreamSupport.stream(json.objects("cases").spliterator(), false)
                .map(each -> DynamicTest.dynamicTest(each.string("template"), () -> {
                    String template = each.string("template");
                    if (each.flag("error", false)) {
                        assertThrows(ChatTemplateException.class, () -> render(template, variables));
                    } else {
                        assertEquals(
                                each.string("text"), render(template, variables).text());
                    }
                }));
    }

    @Test
    void whatWasHandedInStaysForeignThroughEachOperation() {
        Map<String, ?> variables = Map.of("s", "a<b", "l", List.of("x", "y"), "m", Map.of("k", "v"), "n", 5);
        Map<String, String> marked = Map.ofEntries(
                Map.entry("[{{ s }}]", "[{a<b}]"),
                Map.entry("{{ '<' + s + '>' }}", "<{a<b}>"),
                Map.entry("{{ s ~ '-' ~ n }}", "{a<b}-5"),
                Map.entry("{{ (' ' + s + ' ').strip() }}", "{a<b}"),
                Map.entry("{{ s.split('<') | join('|') }}", "{a}|{b}"),
                Map.entry("{{ s.replace('<', '-') }}", "{a}-{b}"),
                Map.entry("{{ 'x-y'.replace('-', s) }}", "x{a<b}y"),
                Map.entry("{{ s.upper() }}{{ s | title }}", "{A<BA<B}"),
                Map.entry("{{ s[1:] }}{{ s[0] }}{{ s[::-1] }}", "{<bab<a}"),
                Map.entry("{{ l }}", "['{x}', '{y}']"),
                Map.entry(
                        "{{ m | tojson }}",
                        "{{\"{k}\": \"{v}\"}}".replace("{{", "{").replace("}}", "}")),
                Map.entry("{{ '{}:{}'.format('o', s) }}", "o:{a<b}"),
                Map.entry("{{ '%s:%5s' % ('o', s) }}", "o:  {a<b}"),
                Map.entry("{% set t %}<{{ s }}>{% endset %}{{ t | trim | indent(2, true) }}", "  <{a<b}>"),
                Map.entry("{% macro f(x) %}({{ x }}){% endmacro %}{{ f(s) | upper }}", "({A<B})"),
                Map.entry("{% for c in s %}{{ c }},{% endfor %}", "{a},{<},{b},"),
                Map.entry("{{ s | escape }}", "{a&lt;b}"),
                Map.entry("{{ s * 2 }}", "{a<ba<b}"),
                Map.entry("{{ l | sort(reverse=true) | join }}", "{yx}"),
                Map.entry("{% for k, v in m | dictsort %}{{ k }}={{ v }}{% endfor %}", "{k}={v}"),
                Map.entry("{{ s | string | safe | default('d') }}", "{a<b}"));
        marked.forEach((template, expected) -> assertEquals(expected, marked(render(template, variables)), template));
    }

    @Test
    void whatIsTheModelsOwnStaysSo() {
        PromptText text = render("{{ bos }}{{ s }}", Map.of("bos", PromptText.own("<s>"), "s", "<s>"));
        assertEquals("<s>{<s>}", marked(text));
    }

    @Test
    void aTemplateSpendsNoMoreThanItMay() {
        for (String hostile : List.of(
                "{% for i in range(10 ** 8) %}{% endfor %}",
                "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
                "{{ 'a' * 10 ** 9 }}",
                "{{ [1] * 10 ** 9 }}",
                "{{ range(10 ** 9) | list }}",
                "{{ range(10 ** 9) | sum }}",
                "{{ range(10 ** 9)[:10 ** 8] }}",
                "{{ 5 in range(10, 10 ** 9) }}",
                "{{ '%999999999d' % 1 }}",
                "{{ '{:>999999999}'.format(1) }}",
                "{{ 'a'.ljust(10 ** 9) }}",
                "{{ 'a' | indent(10 ** 9, true) }}",
                "{{ [[1]] | tojson(indent=10 ** 9) }}",
                "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
                "{% set ns = namespace(l=[1]) %}{% for i in range(5000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
                "{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}"
                        + "{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
                "{% set a = 'a' * 10 ** 6 %}{% for i in range(10 ** 5) %}{% if (a ~ 'b') in a %}{% endif %}{% endfor %}",
                "{% set a = 'a' * 10 ** 6 %}{{ a.replace('a', a) }}",
                "{{ " + "(".repeat(5000) + "1" + ")".repeat(5000) + " }}",
                "{% if 1 %}".repeat(5000) + "{% endif %}".repeat(5000),
                "{{ " + "-".repeat(100_000) + "1 }}",
                "{{ " + "1 if 1 else ".repeat(5000) + "1 }}",
                "x".repeat((1 << 20) + 1))) {
            String start = hostile.substring(0, Math.min(80, hostile.length()));
            assertThrows(ChatTemplateException.TooExpensive.class, () -> render(hostile, Map.of()), () -> start);
        }
    }

    @Test
    void longChainsAndLongConversationsAreNoExpense() {
        assertEquals(
                "20001",
                render("{{ " + "1 + ".repeat(20_000) + "1 }}", Map.of()).text());
        assertEquals(
                "1", render("{{ 1" + " | abs".repeat(20_000) + " }}", Map.of()).text());
        List<Map<String, String>> messages = java.util.stream.IntStream.range(0, 5000)
                .mapToObj(i -> Map.of("role", i % 2 == 0 ? "user" : "assistant", "content", "word ".repeat(40) + i))
                .toList();
        String template = "{% for m in messages %}{% if loop.index0 == 0 or m.role != messages[loop.index0 - 1].role %}"
                + "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] | trim + '<|im_end|>' + '\\n' }}{% endif %}{% endfor %}";
        String text = render(template, Map.of("messages", messages)).text();
        assertTrue(text.endsWith("word 4999<|im_end|>\n"), text.substring(text.length() - 40));
    }

    @Test
    void aRefusalHasTheTemplatesWordsAndAFailureItsLine() {
        ChatTemplateException.Refused refused = assertThrows(
                ChatTemplateException.Refused.class,
                () -> render("{{ raise_exception('not ' + s) }}", Map.of("s", "so")));
        assertEquals("not so", refused.reason());
        ChatTemplateException.Invalid invalid = assertThrows(
                ChatTemplateException.Invalid.class, () -> render("a\n{{ 1 }}\n  {{ nothing.more }}\n", Map.of()));
        assertEquals(3, invalid.line());
        assertTrue(invalid.getMessage().contains("'nothing' is undefined"), invalid.getMessage());
        ChatTemplateException.Invalid damaged =
                assertThrows(ChatTemplateException.Invalid.class, () -> Template.parse("a\n{% if 1 %}\n{% endfor %}"));
        assertEquals(3, damaged.line());
    }

    @Test
    void datesAreWrittenAsStrftimeDoes() {
        assertEquals(
                "05 Mar 2026|Thursday, March 5, 26 09:07:02 AM|064|2026-03-05|%",
                render("{{ strftime_now('%d %b %Y|%A, %B %-d, %y %I:%M:%S %p|%j|%F|%%') }}", Map.of())
                        .text());
    }

    @Test
    void aValueOfAnotherKindIsTheCallersMistake() {
        assertThrows(IllegalArgumentException.class, () -> render("x", Map.of("o", new Object())));
    }
}

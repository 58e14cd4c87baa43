package io.hydra4j.fuzz;

import io.hydra4j.format.Fields;
import io.hydra4j.format.StrictJson;
import io.hydra4j.text.ChatTemplate;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Chat templates: parts of sound ones with words of others in them. */
final class TemplateTarget implements FuzzTarget {
    private static final Path SOUND = Path.of("jinja/cases.json");
    private static final Pattern WORD = Pattern.compile("\\w+|\\s+|'[^']*'|[{}%#-]+|.", Pattern.DOTALL);
    private static final List<String> EXTRAS = List.of(
            "9223372036854775807",
            "-1",
            "0",
            "2147483648",
            "1e308",
            "''",
            "[]",
            "none",
            "messages",
            "loop",
            "namespace()",
            "| list",
            "| tojson",
            "[::-1]",
            "[-1]",
            "* 1000",
            "** 99",
            ".x",
            "()",
            "'\ud83d\ude00'",
            "'%s'",
            "'{}'",
            "range(99999)");

    @Override
    public String name() {
        return "template";
    }

    private static Fields sound() {
        try (InputStream in = TemplateTarget.class.getResourceAsStream("/" + SOUND)) {
            return StrictJson.parse(SOUND, "file", in.readAllBytes());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static List<String> words(String template) {
        List<String> words = new ArrayList<>();
        Matcher word = WORD.matcher(template);
        while (word.find()) {
            words.add(word.group());
        }
        return words;
    }

    @Override
    public void write(Random random, Path folder) throws IOException {
        List<String> templates = new ArrayList<>();
        sound().objects("cases").forEach(each -> templates.add(each.string("template")));
        List<String> words = words(templates.get(random.nextInt(templates.size())));
        for (int i = random.nextInt(4); i > 0 && !words.isEmpty(); i--) {
            List<String> others = words(templates.get(random.nextInt(templates.size())));
            String other = random.nextInt(3) == 0
                    ? EXTRAS.get(random.nextInt(EXTRAS.size()))
                    : others.get(random.nextInt(others.size()));
            int at = random.nextInt(words.size());
            switch (random.nextInt(3)) {
                case 0 -> words.remove(at);
                case 1 -> words.set(at, other);
                default -> words.add(at, other);
            }
        }
        Files.write(folder.resolve("chat.jinja"), String.join("", words).getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void read(Path folder) throws IOException {
        Fields variables = sound().object("variables");
        Map<String, Object> given = new LinkedHashMap<>();
        variables.names().forEach(name -> given.put(name, variables.value(name)));
        @SuppressWarnings("unchecked") // messages are objects
        List<Map<String, Object>> messages = (List<Map<String, Object>>) given.remove("messages");
        ChatTemplate.of(Files.readString(folder.resolve("chat.jinja")), Map.of())
                .render(messages, true, given);
    }
}

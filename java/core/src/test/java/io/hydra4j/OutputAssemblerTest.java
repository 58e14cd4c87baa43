package io.hydra4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.hydra4j.golden.Original;
import io.hydra4j.text.TextStream;
import io.hydra4j.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Without a model: every token is a byte of the text. */
class OutputAssemblerTest {
    private static final int END = 257;

    @TempDir
    private static Path folder;

    private static Tokenizer tokenizer;

    @BeforeAll
    static void open() {
        Path model = Original.withTokenizer(Original.variant(folder, List.of(END), 1024));
        tokenizer = Tokenizer.fromJson(model.resolve("tokenizer.json"));
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    private static OutputAssembler assembler(GenerationOptions options) {
        return new OutputAssembler(options, new int[] {END}, tokenizer.stream(true));
    }

    private static int[] bytes(String text) {
        byte[] raw = text.getBytes(StandardCharsets.UTF_8);
        int[] ids = new int[raw.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = raw[i] & 0xFF;
        }
        return ids;
    }

    /** However the tokens are divided into steps. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 100})
    void whereAnOutputEndsDoesNotDependOnItsSteps(int perStep) {
        OutputAssembler output = assembler(GenerationOptions.DEFAULT.withStop(List.of("stop", "nö")));
        int[] tokens = bytes("some sto nnö more");
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < tokens.length && output.finishReason().isEmpty(); i += perStep) {
            int[] step = Arrays.copyOfRange(tokens, i, Math.min(tokens.length, i + perStep));
            Chunk chunk = output.push(step);
            text.append(chunk.text());
            assertEquals(output.finishReason(), chunk.finishReason());
        }
        assertEquals("some sto n", text.toString());
        assertEquals("some sto n", output.text());
        assertArrayEquals(bytes("some sto nnö"), output.ids());
        assertEquals(Optional.of(FinishReason.STOP), output.finishReason());
    }

    @Test
    void anEndTokenEndsItWithoutText() {
        OutputAssembler output = assembler(GenerationOptions.DEFAULT);
        assertEquals("a", output.push('a').text());
        Chunk last = output.push('b', END, 'c');
        assertEquals("b", last.text());
        assertArrayEquals(new int[] {'b', END}, last.ids());
        assertEquals(Optional.of(FinishReason.END), last.finishReason());
        assertArrayEquals(new int[] {1, 2}, output.tokensPerStep());
        assertThrows(IllegalStateException.class, () -> output.push('d'));
        assertThrows(IllegalStateException.class, () -> output.finish(FinishReason.CANCELLED));
    }

    @Test
    void anEndTokenThatIsIgnoredIsATokenLikeOthers() {
        OutputAssembler output = assembler(GenerationOptions.DEFAULT.withIgnoreEnd(true));
        assertEquals("bc", output.push('b', END, 'c').text());
        assertEquals(3, output.tokens());
        assertEquals(Optional.empty(), output.finishReason());
    }

    @Test
    void theLimitIsExactAndWhatIsHeldBackComesOut() {
        OutputAssembler output =
                assembler(GenerationOptions.DEFAULT.withMaxTokens(3).withStop(List.of("bcd")));
        assertEquals("a", output.push('a', 'b').text());
        Chunk last = output.push('c', 'd');
        assertEquals("bc", last.text());
        assertArrayEquals(new int[] {'c'}, last.ids());
        assertEquals(Optional.of(FinishReason.LENGTH), last.finishReason());
    }

    @Test
    void anIncompleteCharacterBecomesAReplacementWhenTheOutputIsCancelled() {
        OutputAssembler output = assembler(GenerationOptions.DEFAULT);
        assertEquals("", output.push(0xC3).text());
        assertEquals("\uFFFD", output.finish(FinishReason.CANCELLED).text());
        assertEquals("\uFFFD", output.text());
        assertEquals(Optional.of(FinishReason.CANCELLED), output.finishReason());
    }

    @Test
    void withoutTextThereAreOnlyIdsAndNoStopStrings() {
        OutputAssembler output = new OutputAssembler(GenerationOptions.DEFAULT, new int[] {END}, null);
        assertEquals("", output.push('a', END).text());
        assertArrayEquals(new int[] {'a', END}, output.ids());
        GenerationOptions stopping = GenerationOptions.DEFAULT.withStop(List.of("x"));
        assertThrows(
                IllegalArgumentException.class, () -> new OutputAssembler(stopping, new int[0], (TextStream) null));
    }

    @ParameterizedTest
    @NullSource
    @EnumSource(
            value = FinishReason.class,
            names = {"END", "STOP"})
    void reasonsThatTokensAloneCanGiveAreRefused(FinishReason reason) {
        OutputAssembler output = new OutputAssembler(GenerationOptions.DEFAULT, new int[0], null);
        assertThrows(IllegalArgumentException.class, () -> output.finish(reason));
        assertEquals(Optional.empty(), output.finishReason());
    }
}

package io.hydra4j.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Writes a checked tokenizer as the {@code tokenizer.json} that the native library reads. It holds only what cuts a
 * normalised text without added tokens into words and merges their parts; all else is done in Java. Special tokens are
 * left out, with the merges that would make them: none can come of a text by other ways than {@link AddedTokens}.
 */
final class TokenizerJsonWriter {
    private static final JsonFactory JSON = new JsonFactory();

    private TokenizerJsonWriter() {}

    static String write(TokenizerSpec spec) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            json.writeStartObject();
            json.writeStringField("version", "1.0");
            json.writeArrayFieldStart("added_tokens");
            json.writeEndArray();
            json.writeNullField("normalizer");
            json.writeFieldName("pre_tokenizer");
            value(json, spec.preTokenizer().component());
            json.writeNullField("post_processor");
            json.writeNullField("decoder");
            json.writeFieldName("model");
            model(json, spec);
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString();
    }

    private static void model(JsonGenerator json, TokenizerSpec spec) throws IOException {
        json.writeStartObject();
        json.writeStringField("type", "BPE");
        json.writeStringField("unk_token", spec.unknownToken());
        json.writeBooleanField("fuse_unk", spec.fuseUnknown());
        json.writeBooleanField("byte_fallback", spec.byteFallback());
        json.writeBooleanField("ignore_merges", spec.ignoreMerges());
        Set<String> special = spec.addedTokens().stream()
                .filter(AddedToken::special)
                .map(AddedToken::content)
                .collect(Collectors.toSet());
        json.writeObjectFieldStart("vocab");
        for (Map.Entry<String, Integer> token : spec.vocabulary().entrySet()) {
            if (!special.contains(token.getKey()) || token.getKey().equals(spec.unknownToken())) {
                json.writeNumberField(token.getKey(), token.getValue());
            }
        }
        json.writeEndObject();
        json.writeArrayFieldStart("merges");
        for (TokenizerSpec.Merge merge : spec.merges()) {
            if (Stream.of(merge.left(), merge.right(), merge.left() + merge.right())
                    .noneMatch(special::contains)) {
                json.writeStartArray();
                json.writeString(merge.left());
                json.writeString(merge.right());
                json.writeEndArray();
            }
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private static void value(JsonGenerator json, Object value) throws IOException {
        if (value instanceof Map<?, ?> object) {
            json.writeStartObject();
            for (Map.Entry<?, ?> entry : object.entrySet()) {
                json.writeFieldName((String) entry.getKey());
                value(json, entry.getValue());
            }
            json.writeEndObject();
        } else if (value instanceof List<?> list) {
            json.writeStartArray();
            for (Object element : list) {
                value(json, element);
            }
            json.writeEndArray();
        } else {
            json.writePOJO(value);
        }
    }
}

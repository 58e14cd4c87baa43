package io.hydra4j.text;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;

/**
 * Writes a checked tokenizer as the {@code tokenizer.json} that the native library reads. It holds only what encoding
 * needs: what stands before and behind a text is added in Java, and decoding is done in Java.
 */
final class TokenizerJsonWriter {
    private static final JsonFactory JSON = new JsonFactory();

    private TokenizerJsonWriter() {}

    static String write(TokenizerSpec spec) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            json.writeStartObject();
            json.writeStringField("version", "1.0");
            json.writeFieldName("added_tokens");
            addedTokens(json, spec.addedTokens());
            json.writeFieldName("normalizer");
            value(json, spec.normalizer());
            json.writeFieldName("pre_tokenizer");
            value(json, spec.preTokenizer());
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

    private static void addedTokens(JsonGenerator json, List<AddedToken> tokens) throws IOException {
        json.writeStartArray();
        for (AddedToken token : tokens) {
            json.writeStartObject();
            json.writeNumberField("id", token.id());
            json.writeStringField("content", token.content());
            json.writeBooleanField("single_word", token.singleWord());
            json.writeBooleanField("lstrip", token.lstrip());
            json.writeBooleanField("rstrip", token.rstrip());
            json.writeBooleanField("normalized", token.normalized());
            json.writeBooleanField("special", token.special());
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    private static void model(JsonGenerator json, TokenizerSpec spec) throws IOException {
        json.writeStartObject();
        json.writeStringField("type", "BPE");
        json.writeStringField("unk_token", spec.unknownToken());
        json.writeBooleanField("fuse_unk", spec.fuseUnknown());
        json.writeBooleanField("byte_fallback", spec.byteFallback());
        json.writeBooleanField("ignore_merges", spec.ignoreMerges());
        json.writeObjectFieldStart("vocab");
        for (Map.Entry<String, Integer> token : spec.vocabulary().entrySet()) {
            json.writeNumberField(token.getKey(), token.getValue());
        }
        json.writeEndObject();
        json.writeArrayFieldStart("merges");
        for (TokenizerSpec.Merge merge : spec.merges()) {
            json.writeStartArray();
            json.writeString(merge.left());
            json.writeString(merge.right());
            json.writeEndArray();
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

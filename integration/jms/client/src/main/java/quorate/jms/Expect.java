package quorate.jms;

import java.util.Arrays;
import java.util.Objects;

/** What a scenario claims. A claim that does not hold ends it. */
public final class Expect {
    /** Something that may fail. */
    @FunctionalInterface
    public interface Action {
        void run() throws Exception;
    }

    private Expect() {}

    public static void that(boolean holds, String claim) {
        if (!holds) {
            throw new AssertionError("not so: " + claim);
        }
    }

    public static void equal(Object expected, Object actual, String what) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError(what + ": " + shown(actual) + " instead of " + shown(expected));
        }
    }

    public static void equal(byte[] expected, byte[] actual, String what) {
        int at = Arrays.mismatch(expected, actual);
        if (at >= 0) {
            throw new AssertionError(what + ": " + actual.length + " bytes for " + expected.length + ", different from byte " + at + " on");
        }
    }

    /** The exception of this class, or of one below it, with which the action must fail. */
    public static <E extends Exception> E failure(Class<E> expected, Action action) {
        try {
            action.run();
        } catch (Exception thrown) {
            if (expected.isInstance(thrown)) {
                return expected.cast(thrown);
            }
            throw new AssertionError(thrown + " instead of " + expected.getName(), thrown);
        }
        throw new AssertionError("no " + expected.getName());
    }

    private static String shown(Object value) {
        String text = value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
        return text.length() <= 300 ? text : text.substring(0, 300) + "...";
    }
}

package quorate.jms;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import quorate.jms.scenario.*;

/**
 * Runs scenarios against the broker of a URL, several at a time: {@code Scenarios URL [PATTERN]}.
 *
 * <p>A scenario is a public static method of a class of {@link #FAMILIES} that takes a {@link Client}; its name is {@code family.method}.
 * The pattern is a regular expression that must match the beginning of a name; without one all are run. A line is printed for each,
 * {@code ok NAME} or {@code FAILED NAME reason}, and the exit code is 0 if none failed and at least one was run.
 */
public final class Scenarios {
    private static final Map<String, Class<?>> FAMILIES = new TreeMap<>(Map.ofEntries(
            Map.entry("ack", Acknowledgement.class),
            Map.entry("advisory", Advisories.class),
            Map.entry("basic", Basic.class),
            Map.entry("durable", Durable.class),
            Map.entry("failover", Failover.class),
            Map.entry("prefetch", Prefetch.class),
            Map.entry("queue", Queues.class),
            Map.entry("redelivery", Redelivery.class),
            Map.entry("scheduled", Scheduled.class),
            Map.entry("selector", Selectors.class),
            Map.entry("temporary", Temporary.class),
            Map.entry("topic", Topics.class),
            Map.entry("transacted", Transacted.class),
            Map.entry("types", Types.class),
            Map.entry("virtual", Virtual.class),
            Map.entry("xa", Xa.class)));
    /** How many run at once; most of them wait most of the time. */
    private static final int THREADS = 8;
    /** Seconds that one scenario may take. */
    private static final int LIMIT = 60;
    /** Seconds that its connections may take to close. */
    private static final int CLOSING_LIMIT = 20;

    private Scenarios() {}

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        Pattern pattern = Pattern.compile(arguments.length > 1 ? arguments[1] : "");
        ExecutorService pool = Executors.newFixedThreadPool(THREADS);
        List<Future<Boolean>> outcomes = new ArrayList<>();
        FAMILIES.forEach((family, of) -> {
            for (Method method : scenarios(of)) {
                String name = family + "." + method.getName();
                if (pattern.matcher(name).lookingAt()) {
                    outcomes.add(pool.submit(() -> run(name, method, url)));
                }
            }
        });
        int passed = 0;
        for (Future<Boolean> outcome : outcomes) {
            passed += outcome.get() ? 1 : 0;
        }
        int failed = outcomes.size() - passed;
        System.out.println(passed + " passed, " + failed + " failed");
        // A scenario that hangs may have left threads behind.
        System.exit(failed == 0 && passed > 0 ? 0 : 1);
    }

    private static List<Method> scenarios(Class<?> family) {
        List<Method> found = new ArrayList<>();
        for (Method method : family.getDeclaredMethods()) {
            if (Modifier.isPublic(method.getModifiers())) {
                found.add(method);
            }
        }
        found.sort(Comparator.comparing(Method::getName));
        return found;
    }

    private static boolean run(String name, Method method, String url) {
        Client client = new Client(url, name);
        String failure = within(LIMIT, () -> method.invoke(null, client));
        String closing = within(CLOSING_LIMIT, client::close);
        if (failure == null && closing != null) {
            failure = "on closing: " + closing;
        }
        System.out.println(failure == null ? "ok " + name : "FAILED " + name + " " + failure);
        return failure == null;
    }

    /** What went wrong, in one line, or null. Whatever is still running after the limit, in seconds, is interrupted. */
    private static String within(int limit, Expect.Action action) {
        FutureTask<Void> task = new FutureTask<>(() -> {
            action.run();
            return null;
        });
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
        try {
            task.get(limit, TimeUnit.SECONDS);
            return null;
        } catch (TimeoutException late) {
            StackTraceElement[] stack = thread.getStackTrace();
            thread.interrupt();
            return "not done after " + limit + " s" + place(stack);
        } catch (Exception wrapped) {
            Throwable cause = wrapped.getCause() == null ? wrapped : wrapped.getCause();
            if (cause instanceof InvocationTargetException) {
                cause = cause.getCause();
            }
            return String.valueOf(cause).replace('\n', ' ') + place(cause.getStackTrace());
        }
    }

    /** The scenario's line among the frames of a stack. */
    private static String place(StackTraceElement[] stack) {
        for (StackTraceElement frame : stack) {
            if (frame.getClassName().startsWith("quorate.jms.scenario.")) {
                return " (" + frame.getFileName() + ":" + frame.getLineNumber() + ")";
            }
        }
        return "";
    }
}

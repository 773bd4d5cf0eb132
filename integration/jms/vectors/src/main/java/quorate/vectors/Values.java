package quorate.vectors;

import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.util.List;
import org.apache.activemq.command.*;
import org.apache.activemq.util.ByteSequence;

/** Values that a reader can tell apart: texts are their property's name, numbers follow from it. */
final class Values {
    /** Structures in structures in structures have no value where a structure may stand. */
    private static final int DEPTH_MAX = 3;

    private Values() {}

    /** A structure of this type, with a value for each property. */
    static DataStructure full(Class<? extends DataStructure> type, int depth) throws ReflectiveOperationException {
        DataStructure made = type.getDeclaredConstructor().newInstance();
        for (String property : Rows.ALL.get(type)) {
            Method setter = setter(type, property);
            if (setter != null) {
                Object value = value(setter.getParameterTypes()[0], setter.getName().substring(3), depth);
                if (value != null) {
                    setter.invoke(made, value);
                }
            }
        }
        return made;
    }

    private static Method setter(Class<?> type, String property) {
        for (String spelling : property.split("\\|")) {
            String name = "set" + Character.toUpperCase(spelling.charAt(0)) + spelling.substring(1);
            List<Method> named = List.of(type.getMethods()).stream()
                    .filter(method -> method.getName().equals(name) && method.getParameterCount() == 1 && !method.isBridge())
                    .sorted((a, b) -> a.toString().compareTo(b.toString())).toList();
            for (Method method : named) {
                boolean array = method.getParameterTypes()[0].isArray() || named.size() == 1;
                if (array || method.getParameterTypes()[0] != String.class) {
                    return method;
                }
            }
        }
        throw new IllegalArgumentException(type.getSimpleName() + " has no " + property);
    }

    private static Object value(Class<?> type, String name, int depth) throws ReflectiveOperationException {
        int number = name.hashCode();
        if (type == boolean.class) return true;
        if (type == byte.class) return (byte) (number & 7 | 1);
        if (type == int.class) return number;
        // Long compression has four forms.
        if (type == long.class) return new long[] {number & 0x7fffL | 1, number & 0xffff_ffffL | 0x8000_0000L, (long) number << 32 | 1, -1L}[number & 3];
        if (type == String.class) return name;
        if (type == byte[].class) return name.getBytes();
        if (type == ByteSequence.class) return new ByteSequence(name.getBytes());
        if (type == Throwable.class) return exception(name, false);
        if (type.isArray()) return array(type.getComponentType(), depth);
        Class<? extends DataStructure> structure = switch (type.getSimpleName()) {
            case "ActiveMQDestination" -> switch (number & 3) {
                case 0 -> ActiveMQQueue.class;
                case 1 -> ActiveMQTopic.class;
                case 2 -> ActiveMQTempQueue.class;
                default -> ActiveMQTempTopic.class;
            };
            case "TransactionId" -> (number & 1) == 0 ? LocalTransactionId.class : XATransactionId.class;
            case "Message" -> ActiveMQTextMessage.class;
            case "BooleanExpression" -> NetworkBridgeFilter.class;
            case "DataStructure" -> ConsumerId.class;
            default -> type.asSubclass(DataStructure.class);
        };
        return depth < DEPTH_MAX ? full(structure, depth + 1) : null;
    }

    private static Object array(Class<?> type, int depth) throws ReflectiveOperationException {
        if (type == BrokerInfo.class && depth > 0) return null;
        Object array = Array.newInstance(type, 2);
        for (int i = 0; i < 2; i++) {
            Class<? extends DataStructure> element = type == DataStructure.class ? SubscriptionInfo.class : type.asSubclass(DataStructure.class);
            Array.set(array, i, full(element, depth + 1));
        }
        return array;
    }

    /** An exception; with a trace, it has frames and a cause. */
    static Throwable exception(String message, boolean traced) {
        Throwable exception = new IllegalStateException(message, traced ? exception("cause", false) : null);
        StackTraceElement frame = new StackTraceElement("a.Class", "method", "File.java", 7);
        StackTraceElement hidden = new StackTraceElement("a.Class", "method", null, -1);
        exception.setStackTrace(traced ? new StackTraceElement[] {frame, hidden} : new StackTraceElement[0]);
        return exception;
    }
}

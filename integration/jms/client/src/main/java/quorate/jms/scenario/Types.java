package quorate.jms.scenario;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.jms.BytesMessage;
import javax.jms.MapMessage;
import javax.jms.Message;
import javax.jms.MessageEOFException;
import javax.jms.ObjectMessage;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.StreamMessage;
import javax.jms.TextMessage;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** Every type of message and of property comes out as it went in. */
public final class Types {
    private static final String COMPRESSED = "jms.useCompression=true";
    private static final byte[] BYTES = {0, 1, -1, 127, -128};
    /** One, two, three and four bytes of UTF-8, and a character that modified UTF-8 writes in another way. */
    private static final String TEXT = "a\u00e4\u20ac\ud83d\ude00\u0000z";
    /** Without what ActiveMQ's client reads wrongly in maps and properties, whoever the broker is. */
    private static final String SHORT_TEXT = "a\u00e4\u20acz";

    private Types() {}

    public static void text(Client client) throws Exception {
        for (String text : new String[] {TEXT, "", "long ".repeat(50_000), null}) {
            TextMessage received = (TextMessage) passed(client, session -> session.createTextMessage(text));
            Expect.equal(text, received.getText(), "the text");
        }
    }

    public static void textCompressed(Client client) throws Exception {
        for (String text : new String[] {TEXT, "", "long ".repeat(50_000)}) {
            TextMessage received = (TextMessage) passed(client, session -> session.createTextMessage(text), COMPRESSED);
            Expect.equal(text, received.getText(), "the text");
        }
    }

    public static void withoutBody(Client client) throws Exception {
        Message received = passed(client, Session::createMessage);
        Expect.that(!(received instanceof TextMessage) && !(received instanceof BytesMessage), "the message has no body");
    }

    public static void bytes(Client client) throws Exception {
        bytesOf(client);
    }

    public static void bytesCompressed(Client client) throws Exception {
        bytesOf(client, COMPRESSED);
    }

    public static void map(Client client) throws Exception {
        mapOf(client);
    }

    public static void mapCompressed(Client client) throws Exception {
        mapOf(client, COMPRESSED);
    }

    public static void stream(Client client) throws Exception {
        streamOf(client);
    }

    public static void streamCompressed(Client client) throws Exception {
        streamOf(client, COMPRESSED);
    }

    public static void object(Client client) throws Exception {
        for (String[] options : new String[][] {{}, {COMPRESSED}}) {
            ObjectMessage received = (ObjectMessage) passed(client, session -> session.createObjectMessage(Integer.valueOf(42)), options);
            Expect.equal(42, received.getObject(), "the object");
        }
    }

    /** What goes beyond JMS: maps and lists within maps and properties. */
    public static void nestedMapsAndLists(Client client) throws Exception {
        Map<String, Object> inner = new TreeMap<>(Map.of("text", SHORT_TEXT, "numbers", new ArrayList<>(List.of(1, 2L, 3.0))));
        MapMessage received = (MapMessage) passed(client, session -> {
            MapMessage message = session.createMapMessage();
            message.setObject("inner", inner);
            message.setObjectProperty("nested", inner);
            return message;
        });
        // The client leaves strings within as buffers, which are equal only to each other.
        Expect.equal(inner.toString(), new TreeMap<>((Map<?, ?>) received.getObject("inner")).toString(), "the map in the map");
        Expect.equal(inner.toString(), new TreeMap<>((Map<?, ?>) received.getObjectProperty("nested")).toString(), "the map in a property");
    }

    public static void properties(Client client) throws Exception {
        Map<String, Object> properties = new TreeMap<>(Map.of("boolean", true, "byte", (byte) -7, "short", (short) 300, "int", 70_000,
                "long", 1L << 40, "float", 1.5f, "double", -2.25, "string", SHORT_TEXT, "long_string", "s".repeat(20_000)));
        Message received = passed(client, session -> {
            Message message = session.createMessage();
            for (Map.Entry<String, Object> property : properties.entrySet()) {
                message.setObjectProperty(property.getKey(), property.getValue());
            }
            return message;
        });
        Map<String, Object> found = new TreeMap<>();
        for (Enumeration<?> names = received.getPropertyNames(); names.hasMoreElements(); ) {
            String name = (String) names.nextElement();
            if (!name.startsWith("JMSX")) {
                found.put(name, received.getObjectProperty(name));
            }
        }
        Expect.equal(properties, found, "the properties");
        Expect.equal("70000", received.getStringProperty("int"), "a number read as a string");
        Expect.equal(300L, received.getLongProperty("short"), "a short read as a long");
    }

    public static void propertiesOfEveryType(Client client) throws Exception {
        List<Creation> creations = List.of(Session::createMessage, Session::createTextMessage, Session::createBytesMessage,
                Session::createMapMessage, Session::createStreamMessage, Session::createObjectMessage);
        for (Creation creation : creations) {
            Message received = passed(client, session -> {
                Message message = creation.create(session);
                message.setStringProperty("colour", "red");
                message.setIntProperty("count", 3);
                return message;
            });
            Expect.equal("red", received.getStringProperty("colour"), "a property of " + received.getClass());
            Expect.equal(3, received.getIntProperty("count"), "a property of " + received.getClass());
        }
    }

    public static void correlationIdAsBytes(Client client) throws Exception {
        byte[] id = "correlated".getBytes("UTF-8");
        Message received = passed(client, session -> {
            Message message = session.createMessage();
            message.setJMSCorrelationIDAsBytes(id);
            return message;
        });
        Expect.equal(id, received.getJMSCorrelationIDAsBytes(), "the correlation id");
    }

    /** Receiving and sending on: what came is sent with its properties, and its id is a new one. */
    public static void forwarded(Client client) throws Exception {
        Session session = client.session();
        Messages.sendWith(session, client.queue("one"), "colour", "red", "rose");
        Message message = Messages.receive(session.createConsumer(client.queue("one")));
        String id = message.getJMSMessageID();
        session.createProducer(client.queue("two")).send(message);
        Message again = Messages.receive(session.createConsumer(client.queue("two")));
        Expect.equal("rose", Messages.text(again), "the text");
        Expect.equal("red", again.getStringProperty("colour"), "the property");
        Expect.that(!id.equals(again.getJMSMessageID()), "the message id is a new one");
    }

    @FunctionalInterface
    private interface Creation {
        Message create(Session session) throws Exception;
    }

    /** Sends what is created, and receives it by another connection. */
    private static Message passed(Client client, Creation creation, String... options) throws Exception {
        Queue queue = client.queue("queue");
        var sending = client.connect(options);
        Session session = sending.createSession(false, Session.AUTO_ACKNOWLEDGE);
        session.createProducer(queue).send(creation.create(session));
        sending.close();
        var receiving = client.connect();
        Message message = Messages.receive(receiving.createSession(false, Session.AUTO_ACKNOWLEDGE).createConsumer(queue));
        receiving.close();
        return message;
    }

    private static void bytesOf(Client client, String... options) throws Exception {
        BytesMessage received = (BytesMessage) passed(client, session -> {
            BytesMessage message = session.createBytesMessage();
            message.writeBoolean(true);
            message.writeByte((byte) -7);
            message.writeShort((short) 300);
            message.writeChar('\u20ac');
            message.writeInt(70_000);
            message.writeLong(1L << 40);
            message.writeFloat(1.5f);
            message.writeDouble(-2.25);
            message.writeUTF(TEXT);
            message.writeBytes(BYTES);
            return message;
        }, options);
        Expect.equal(true, received.readBoolean(), "the boolean");
        Expect.equal((byte) -7, received.readByte(), "the byte");
        Expect.equal((short) 300, received.readShort(), "the short");
        Expect.equal('\u20ac', received.readChar(), "the character");
        Expect.equal(70_000, received.readInt(), "the int");
        Expect.equal(1L << 40, received.readLong(), "the long");
        Expect.equal(1.5f, received.readFloat(), "the float");
        Expect.equal(-2.25, received.readDouble(), "the double");
        Expect.equal(TEXT, received.readUTF(), "the string");
        byte[] bytes = new byte[BYTES.length];
        Expect.equal(BYTES.length, received.readBytes(bytes), "the number of bytes");
        Expect.equal(BYTES, bytes, "the bytes");
        Expect.failure(MessageEOFException.class, received::readByte);
    }

    private static void mapOf(Client client, String... options) throws Exception {
        MapMessage received = (MapMessage) passed(client, session -> {
            MapMessage message = session.createMapMessage();
            message.setBoolean("boolean", true);
            message.setByte("byte", (byte) -7);
            message.setShort("short", (short) 300);
            message.setChar("char", '\u20ac');
            message.setInt("int", 70_000);
            message.setLong("long", 1L << 40);
            message.setFloat("float", 1.5f);
            message.setDouble("double", -2.25);
            message.setString("string", SHORT_TEXT);
            message.setBytes("bytes", BYTES);
            message.setString("null", null);
            return message;
        }, options);
        Expect.equal(true, received.getBoolean("boolean"), "the boolean");
        Expect.equal((byte) -7, received.getByte("byte"), "the byte");
        Expect.equal((short) 300, received.getShort("short"), "the short");
        Expect.equal('\u20ac', received.getChar("char"), "the character");
        Expect.equal(70_000, received.getInt("int"), "the int");
        Expect.equal(1L << 40, received.getLong("long"), "the long");
        Expect.equal(1.5f, received.getFloat("float"), "the float");
        Expect.equal(-2.25, received.getDouble("double"), "the double");
        Expect.equal(SHORT_TEXT, received.getString("string"), "the string");
        Expect.equal(BYTES, received.getBytes("bytes"), "the bytes");
        Expect.that(received.itemExists("null") && received.getObject("null") == null, "the null is there");
    }

    private static void streamOf(Client client, String... options) throws Exception {
        Object[] written = {true, (byte) -7, (short) 300, '\u20ac', 70_000, 1L << 40, 1.5f, -2.25, TEXT, null, "s".repeat(70_000)};
        StreamMessage received = (StreamMessage) passed(client, session -> {
            StreamMessage message = session.createStreamMessage();
            for (Object value : written) {
                message.writeObject(value);
            }
            message.writeBytes(BYTES);
            return message;
        }, options);
        for (Object value : written) {
            Expect.equal(value, received.readObject(), "a value of the stream");
        }
        Expect.that(Arrays.equals(BYTES, (byte[]) received.readObject()), "the bytes are equal");
        Expect.failure(MessageEOFException.class, received::readObject);
    }
}

package quorate.jms;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.jms.Connection;
import javax.jms.JMSException;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import javax.jms.XAConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQXAConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;

/** What a scenario has: the broker's URL, names that nobody else uses, and connections that are closed after it. */
public final class Client {
    private static final Pattern ADDRESS = Pattern.compile("//(?<host>[^:/,()]+):(?<port>\\d+)(?<query>\\?[^,)]*)?");

    private final String url;
    private final String scenario;
    private final String chance = UUID.randomUUID().toString().substring(0, 8);
    /** Closed last in, first out. */
    private final Deque<Expect.Action> closings = new ArrayDeque<>();

    Client(String url, String scenario) {
        this.url = url;
        this.scenario = scenario;
    }

    /** A name that only this run of this scenario uses, for a destination, a client id or a property. */
    public String name(String role) {
        return scenario + "." + chance + "." + role;
    }

    /** A queue of this scenario's own; options as in {@code consumer.prefetchSize=1}. */
    public Queue queue(String role, String... options) {
        return new ActiveMQQueue(with(name(role), options));
    }

    /** A topic of this scenario's own; options as in {@code consumer.noLocal=true}. */
    public Topic topic(String role, String... options) {
        return new ActiveMQTopic(with(name(role), options));
    }

    /** The broker's URL with further options, as in {@code jms.useCompression=true}. */
    public String url(String... options) {
        return with(url, options);
    }

    /** A connection that is started. */
    public Connection connect(String... options) throws JMSException {
        Connection connection = kept(new ActiveMQConnectionFactory(url(options)).createConnection());
        connection.start();
        return connection;
    }

    /** A started connection with a client id, for durable subscriptions. */
    public Connection connectAs(String clientId, String... options) throws JMSException {
        Connection connection = kept(new ActiveMQConnectionFactory(url(options)).createConnection());
        connection.setClientID(clientId);
        connection.start();
        return connection;
    }

    /** A started connection to another URL than the broker's own. */
    public Connection connectTo(String other) throws JMSException {
        Connection connection = kept(new ActiveMQConnectionFactory(other).createConnection());
        connection.start();
        return connection;
    }

    /** A started connection whose sessions belong to a transaction manager. */
    public XAConnection connectXa() throws JMSException {
        XAConnection connection = kept(new ActiveMQXAConnectionFactory(url).createXAConnection());
        connection.start();
        return connection;
    }

    /** A session that acknowledges by itself, on a connection of its own. */
    public Session session(String... options) throws JMSException {
        return connect(options).createSession(false, Session.AUTO_ACKNOWLEDGE);
    }

    /** A transacted session on a connection of its own. */
    public Session transacted(String... options) throws JMSException {
        return connect(options).createSession(true, Session.SESSION_TRANSACTED);
    }

    /** A way to the broker that can be cut. */
    public Link link() throws IOException {
        Matcher address = ADDRESS.matcher(url);
        Expect.that(address.find(), "the URL has an address: " + url);
        Link link = new Link(address.group("host"), Integer.parseInt(address.group("port")));
        keep(link::close);
        return link;
    }

    /** The URL of a client that comes back over this way whenever it was cut. */
    public String failoverUrl(Link link, String... options) {
        Matcher address = ADDRESS.matcher(url);
        Expect.that(address.find(), "the URL has an address: " + url);
        String query = address.group("query") == null ? "" : address.group("query");
        return with("failover:(tcp://127.0.0.1:" + link.port() + query + ")", options);
    }

    /** Has something else closed after the scenario, before what was opened earlier. */
    public void keep(Expect.Action closing) {
        synchronized (closings) {
            closings.push(closing);
        }
    }

    void close() throws Exception {
        while (true) {
            Expect.Action closing;
            synchronized (closings) {
                closing = closings.poll();
            }
            if (closing == null) {
                return;
            }
            closing.run();
        }
    }

    private <C extends Connection> C kept(C connection) {
        keep(connection::close);
        return connection;
    }

    private static String with(String address, String... options) {
        if (options.length == 0) {
            return address;
        }
        // A question mark within brackets belongs to one of several addresses.
        boolean more = address.indexOf('?', address.lastIndexOf(')') + 1) >= 0;
        return address + (more ? "&" : "?") + String.join("&", options);
    }
}

package quorate.jms.scenario;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.command.ActiveMQQueue;
import org.apache.activemq.command.ActiveMQTopic;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** Virtual topics: who reads the queue {@code Consumer.NAME.VirtualTopic.X} gets what is published to {@code VirtualTopic.X}. */
public final class Virtual {
    private Virtual() {}

    public static void everyQueueGetsItsCopy(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer one = session.createConsumer(queue(client, "one"));
        MessageConsumer two = session.createConsumer(queue(client, "two"));
        MessageConsumer subscriber = session.createConsumer(topic(client));
        Messages.send(session, topic(client), "published");
        Messages.expect(subscriber, "published");
        Messages.expect(two, "published");
        Message message = Messages.receive(one);
        Expect.equal("published", Messages.text(message), "the text");
        Expect.equal(queue(client, "one"), message.getJMSDestination(), "the destination");
    }

    public static void consumersOfOneQueueShare(Client client) throws Exception {
        Session session = client.session();
        Queue queue = queue(client, "one");
        MessageConsumer first = client.session("jms.prefetchPolicy.queuePrefetch=1").createConsumer(queue);
        MessageConsumer second = client.session("jms.prefetchPolicy.queuePrefetch=1").createConsumer(queue);
        Messages.send(session, topic(client), "a", "b");
        List<String> received = new ArrayList<>(List.of(Messages.text(first), Messages.text(second)));
        Collections.sort(received);
        Expect.equal(List.of("a", "b"), received, "what both received");
    }

    public static void queueKeepsWhileItsConsumersAreAway(Client client) throws Exception {
        Session session = client.session();
        session.createConsumer(queue(client, "one")).close();
        Messages.send(session, topic(client), "kept");
        Messages.expect(session.createConsumer(queue(client, "one")), "kept");
    }

    public static void transacted(Client client) throws Exception {
        MessageConsumer consumer = client.session().createConsumer(queue(client, "one"));
        Session session = client.transacted();
        Messages.send(session, topic(client), "taken back");
        session.rollback();
        Messages.send(session, topic(client), "published");
        session.commit();
        Messages.expect(consumer, "published");
        Messages.expectNone(consumer);
    }

    private static Topic topic(Client client) {
        return new ActiveMQTopic("VirtualTopic." + client.name("topic"));
    }

    private static Queue queue(Client client, String consumer) {
        return new ActiveMQQueue("Consumer." + consumer + ".VirtualTopic." + client.name("topic"));
    }
}

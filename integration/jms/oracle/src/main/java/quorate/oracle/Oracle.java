package quorate.oracle;

import java.io.File;
import java.util.List;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.broker.region.policy.PolicyEntry;
import org.apache.activemq.broker.region.policy.PolicyMap;
import org.apache.activemq.store.kahadb.KahaDBPersistenceAdapter;

/**
 * ActiveMQ on KahaDB as it comes, save for what quorate does unasked: it schedules, it orders queues by priority, and it looks for expired
 * messages every second.
 */
public final class Oracle {
    private Oracle() {}

    /** Arguments: port, directory of the data. Prints {@code ready} when clients may come, and runs until it is killed. */
    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        File data = new File(arguments[1]);

        BrokerService broker = new BrokerService();
        broker.setBrokerName("oracle");
        broker.setUseJmx(false);
        broker.setDataDirectoryFile(data);
        KahaDBPersistenceAdapter store = new KahaDBPersistenceAdapter();
        store.setDirectory(new File(data, "kahadb"));
        broker.setPersistenceAdapter(store);
        broker.setSchedulerSupport(true);
        PolicyEntry queues = new PolicyEntry();
        queues.setQueue(">");
        queues.setPrioritizedMessages(true);
        queues.setExpireMessagesPeriod(1000);
        PolicyMap policies = new PolicyMap();
        policies.setPolicyEntries(List.of(queues));
        broker.setDestinationPolicy(policies);
        broker.addConnector("nio://127.0.0.1:" + port);
        broker.start();
        broker.waitUntilStarted();
        System.out.println("ready");
        broker.waitUntilStopped();
    }
}

using TaskService.Tests.Support;

namespace TaskService.Tests;

/// <summary>The README says how to see the log of services that tests start.</summary>
[Trait("Suite", "long")]
public sealed class TestLogTests
{
    [Fact]
    public async Task The_log_of_services_in_process_and_in_processes_of_their_own_is_shown_when_asked_for()
    {
        const string inProcess = "FullyQualifiedName~HealthTests.A_running_service_is_live_and_ready";
        const string inItsOwn = "FullyQualifiedName~ShutdownTests.A_request_in_flight_is_finished";
        var output = await DotnetCommand.AssertRunsAsync(
            TestRoot.Path,
            [(TestLog.Variable, "debug")],
            "test", "TaskService.Tests", "--no-build", "--nologo", "-tl:off", "--filter", $"{inProcess}|{inItsOwn}");
        Assert.Contains("level=\"DEBUG\" req_id=", output, StringComparison.Ordinal);
        Assert.Contains("method=\"GET\" uri=\"/health/ready\"", output, StringComparison.Ordinal);
        Assert.Contains("message=\"STARTING\" service_name=\"TodoList\"", output, StringComparison.Ordinal);
        Assert.Contains("method=\"POST\" uri=\"/tasks\"", output, StringComparison.Ordinal);
    }
}

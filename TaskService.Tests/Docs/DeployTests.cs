using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using TaskService.Hosting;
using TaskService.Tests.Support;
using YamlDotNet.RepresentationModel;

namespace TaskService.Tests.Docs;

/// <summary>The files of <c>deploy</c> fit the service, and are read by the tools that they are for.</summary>
[Trait("Suite", "integration")]
public sealed partial class DeployTests
{
    private const string Container = "/app/configs/todoList-container.yaml";

    // For logs and exporters, after the requests (README: exit).
    private static readonly TimeSpan FlushTimeMax = TimeSpan.FromSeconds(5);

    private static string Unit =>
        File.ReadAllText(Assert.Single(Directory.GetFiles(TestRoot.File("deploy"), "*.service")));

    [Fact]
    public async Task The_unit_is_one_that_systemd_takes_without_a_word()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/systemd-analyze"), "needs systemd-analyze (apt-get install systemd)");
        using var directory = new TemporaryDirectory();
        var program = UnitValues("ExecStart")[0].Split(' ')[0];
        var unit = Unit.Replace(program, ServiceProcess.Binary, StringComparison.Ordinal);
        await File.WriteAllTextAsync(directory.File("checked.service"), unit);
        Assert.Equal((0, ""), await AnalyzeAsync("verify", directory.File("checked.service")));
        var (_, exposure) = await AnalyzeAsync("security", "--offline=true", directory.File("checked.service"));
        Assert.Contains("OK", exposure.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
        // It would say if there were something.
        await File.WriteAllTextAsync(directory.File("checked.service"), unit + "\n[Service]\nNoSuchSetting=1\n");
        Assert.Contains(
            "NoSuchSetting", (await AnalyzeAsync("verify", directory.File("checked.service"))).Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_unit_waits_for_the_end_of_a_stop_and_starts_what_can_start_again()
    {
        Assert.True(TimeSpan.FromSeconds(int.Parse(UnitValues("TimeoutStopSec")[0], null)) > StopTimeMax([]));
        Assert.Equal(["on-failure"], UnitValues("Restart"));
        Assert.Equal([$"{ExitCodes.Usage} {ExitCodes.Config}"], UnitValues("RestartPreventExitStatus"));
        // The signal is for the service alone, which knows what to do about it.
        Assert.Equal(["mixed"], UnitValues("KillMode"));
        AssertTakes(
            [.. UnitValues("Environment").Select(each => each.Split('=', 2)).Select(each => (each[0], each[1]))]);
    }

    [Fact]
    public async Task Probes_of_the_manifests_have_a_port_and_a_path_that_answers()
    {
        var container = ContainerOf(out _);
        await using var service = await RunningService.StartAsync();
        foreach (var probe in new[] { "startupProbe", "livenessProbe", "readinessProbe" })
        {
            var get = Map(Map(container, probe), "httpGet");
            Assert.Equal(8080, PortOf(container, Text(get, "port")));
            using var response = await service.SendAsync("GET", Text(get, "path"));
            Assert.Equal(200, (int)response.StatusCode);
        }
        var ports = List(Map(Document("Service"), "spec"), "ports").Select(port => Text(port, "targetPort"));
        Assert.Equal([8080], ports.Select(port => PortOf(container, port)));
    }

    [Fact]
    public void The_pod_waits_for_the_end_of_a_stop_and_until_it_is_out_of_the_endpoints()
    {
        var container = ContainerOf(out var pod);
        var environment = Environment(container);
        var grace = TimeSpan.FromSeconds(int.Parse(Text(pod, "terminationGracePeriodSeconds"), null));
        Assert.True(grace > StopTimeMax(environment));
        var readiness = Map(container, "readinessProbe");
        var unready = TimeSpan.FromSeconds(
            int.Parse(Text(readiness, "periodSeconds"), null) * int.Parse(Text(readiness, "failureThreshold"), null));
        var preStop = SettingsOf(environment).Service.PreStopDelay;
        Assert.True(preStop > unready);
        AssertTakes(environment);
        Assert.Equal(9090, SettingsOf(environment).Operations.Port);
        Assert.Contains(9090, List(container, "ports").Select(port => int.Parse(Text(port, "containerPort"), null)));
    }

    [Fact]
    public void The_pod_is_not_root_and_cannot_write_but_to_tmp()
    {
        var container = ContainerOf(out var pod);
        Assert.Equal("true", Text(Map(pod, "securityContext"), "runAsNonRoot"));
        var project = File.ReadAllText(TestRoot.File("TaskService", "TaskService.csproj"));
        Assert.Contains(
            $"<ContainerUser>{Text(Map(pod, "securityContext"), "runAsUser")}</ContainerUser>", project,
            StringComparison.Ordinal);
        var security = Map(container, "securityContext");
        Assert.Equal("false", Text(security, "allowPrivilegeEscalation"));
        Assert.Equal("true", Text(security, "readOnlyRootFilesystem"));
        Assert.Equal(["/tmp"], List(container, "volumeMounts").Select(mount => Text(mount, "mountPath")));
        Assert.Equal(["--config", Container], Values(container, "args"));
        Assert.Equal(Values(container, "args"), DefaultArgs().Match(project).Groups[1].Value.Split(';'));
        // What the Deployment and the rest call the pods is the same.
        var app = Text(Map(Map(Map(Map(Document("Deployment"), "spec"), "template"), "metadata"), "labels"), "app");
        Assert.Equal(app, Text(Map(Map(Document("Service"), "spec"), "selector"), "app"));
        Assert.Equal(
            app, Text(Map(Map(Map(Document("PodDisruptionBudget"), "spec"), "selector"), "matchLabels"), "app"));
    }

    private static string[] UnitValues(string name) =>
        [.. UnitLine().Matches(Unit).Where(line => line.Groups[1].Value == name).Select(line => line.Groups[2].Value)];

    /// <summary>How long a stop takes at most with the configuration of containers.</summary>
    private static TimeSpan StopTimeMax((string Name, string Value)[] environment)
    {
        var service = SettingsOf(environment).Service;
        Assert.True(service.PreStopDelay > TimeSpan.Zero);
        return service.PreStopDelay + service.ShutdownTimeMax + FlushTimeMax;
    }

    private static Settings SettingsOf((string Name, string Value)[] environment)
    {
        var yaml = File.ReadAllText(TestRoot.File("configs", Path.GetFileName(Container)));
        var (settings, _) = Settings.Read(
            "container.yaml", yaml, environment.ToDictionary(each => each.Name, each => each.Value),
            new CommandLineOptions());
        return settings;
    }

    /// <summary>The service itself has nothing to say about such an environment.</summary>
    private static void AssertTakes((string Name, string Value)[] environment)
    {
        using var directory = new TemporaryDirectory();
        using var process = ServiceProcess.Start(
            directory.Path, [.. environment.Select(each => (each.Name, (string?)each.Value))],
            "--config", TestRoot.File("configs", Path.GetFileName(Container)), "--check-config");
        Assert.Equal(0, process.ExitAsync().GetAwaiter().GetResult());
        Assert.Empty(process.Errors.Concat(process.Output));
    }

    private static async Task<(int ExitCode, string Output)> AnalyzeAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/systemd-analyze", arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output + await errors);
    }

    private static YamlMappingNode Document(string kind)
    {
        var stream = new YamlStream();
        using var reader = new StreamReader(TestRoot.File("deploy", "kubernetes.yaml"));
        stream.Load(reader);
        Assert.Equal(3, stream.Documents.Count);
        return Assert.Single(
            stream.Documents.Select(document => (YamlMappingNode)document.RootNode),
            root => Text(root, "kind") == kind);
    }

    private static YamlMappingNode ContainerOf(out YamlMappingNode pod)
    {
        pod = Map(Map(Map(Document("Deployment"), "spec"), "template"), "spec");
        return Assert.Single(List(pod, "containers"));
    }

    /// <summary>What the container gets; a secret is some text that is long enough.</summary>
    private static (string Name, string Value)[] Environment(YamlMappingNode container) =>
        [.. List(container, "env").Select(variable => (
            Text(variable, "name"),
            variable.Children.ContainsKey("value") ? Text(variable, "value") : "0123456789abcdef0123456789abcdef"))];

    private static int PortOf(YamlMappingNode container, string name) => int.Parse(
        Text(Assert.Single(List(container, "ports"), port => Text(port, "name") == name), "containerPort"),
        CultureInfo.InvariantCulture);

    private static YamlMappingNode Map(YamlMappingNode node, string name) => (YamlMappingNode)node.Children[name];

    private static string Text(YamlMappingNode node, string name) => ((YamlScalarNode)node.Children[name]).Value!;

    private static IEnumerable<YamlMappingNode> List(YamlMappingNode node, string name) =>
        ((YamlSequenceNode)node.Children[name]).Cast<YamlMappingNode>();

    private static IEnumerable<string> Values(YamlMappingNode node, string name) =>
        ((YamlSequenceNode)node.Children[name]).Select(each => ((YamlScalarNode)each).Value!);

    [GeneratedRegex("^([A-Za-z]+)=(.*)$", RegexOptions.Multiline)]
    private static partial Regex UnitLine();

    [GeneratedRegex("<ContainerDefaultArgs Include=\"(.*)\" />")]
    private static partial Regex DefaultArgs();
}

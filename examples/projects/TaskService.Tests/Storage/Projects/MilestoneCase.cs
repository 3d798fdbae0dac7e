using TaskService.Domain;
using TaskService.Storage.Projects;

namespace TaskService.Tests.Storage.Projects;

/// <summary>Milestones of two projects, for the contract of the engines.</summary>
internal static class MilestoneCase
{
    private static readonly DateTimeOffset Epoch = DateTimeOffset.UnixEpoch;

    public static StoreCase<Milestone> Instance { get; } = new(
        MilestoneRow.Entity,
        number => new Milestone { ProjectId = "p", Title = $"milestone {number}" },
        [
            new Milestone { ProjectId = "p", Title = "žluť \U0001F600 \u2028 \"\\\n'", DueDate = Epoch, Done = true },
            new Milestone { ProjectId = "q", Title = "plain" },
            new Milestone { ProjectId = "p", Title = "the first of all", DueDate = DateTimeOffset.MinValue },
            new Milestone { ProjectId = "p", Title = "the last of all", DueDate = DateTimeOffset.MaxValue },
        ],
        [
            new MilestoneQuery { ProjectId = "p", Done = true },
            new MilestoneQuery { Done = false },
            new MilestoneQuery { ProjectId = "p", DueBefore = Epoch },
            new MilestoneQuery { DueBefore = Epoch.AddTicks(1), Done = true },
        ])
    {
        Parents = engine =>
        {
            var projects = engine.Store(ProjectRow.Entity);
            return async () =>
            {
                foreach (var id in new[] { "p", "q" })
                {
                    var project = new Stored<Project>(id, new Project { Name = id, Created = Epoch });
                    Assert.Null(await projects.CreateAsync(project, null, CancellationToken.None));
                }
            };
        },
    };
}

public sealed class MilestoneMemoryTests() : StoreContract("memory")
{
    private protected override StoreCase Entity => MilestoneCase.Instance;
}

public sealed class MilestoneFileTests() : StoreContract("fs")
{
    private protected override StoreCase Entity => MilestoneCase.Instance;
}

public sealed class MilestoneSqliteTests() : StoreContract("sqlite")
{
    private protected override StoreCase Entity => MilestoneCase.Instance;
}

public sealed class MilestonePostgresTests() : StoreContract("postgres")
{
    private protected override StoreCase Entity => MilestoneCase.Instance;
}
